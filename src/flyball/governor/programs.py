"""What is known of the agents' sessions under way: progress, spend, context, pace, who waits?

A session is live while its next step may be expected (its context is worth keeping), resting when
it has been silent for longer than nearly all pauses of its class, and over after `idle_s_max`.
Every table is bounded and ordered by the last sign of life, so that expiry takes constant time.

A step is worth V * (1 / T + BREAK * done / T): V = worth of completion, T = steps it will have
taken in all (done + expected left), so 1 / T is the step's even share, and done / T the progress
that would be lost, times the chance that a step denied ends the session. A session half-way is so
worth more than a new one, and one with few steps left more than one with many.
"""

from collections import OrderedDict, deque
from math import exp, log2

from flyball.governor.runaway import Watch
from flyball.governor.survival import Survival
from flyball.model.request import RequestClass, SessionRules
from flyball.units import Seconds, Tokens, Usd

LIVE_MAX = 100_000
RESTING_MAX = 100_000
WAITING_MAX = 10_000
LINE_MAX = 10_000
# The chance that a step denied ends its session: assumed (an agent tries about ten times).
BREAK_RATIO = 0.1
STEP = 0.05
# Pauses are counted in buckets of powers of two from 1/4 s; before any, these many are believed.
PAUSE_BUCKETS = 16
PAUSE_PRIOR = 2.0
PAUSE_QUANTILE = 0.98
CONTEXT_PRIOR: Tokens = 4096
STEP_PRIOR_S: Seconds = 15.0
RATE_MEMORY_S: Seconds = 60.0
BEGIN_MEMORY_S: Seconds = 120.0
LATE_STEP = 1.0 / 32.0
IN_TIME_STEP = 1.0 / 256.0
LATE_MEMORY_S: Seconds = 10.0


class Program:
    """One session. `done` = steps answered, `context` = tokens it keeps warm, spend in all."""

    __slots__ = (
        "asked_at",
        "begun_at",
        "context",
        "done",
        "has_waited",
        "in_flight",
        "is_admitted",
        "is_warned",
        "key",
        "rate_at",
        "seen_at",
        "stale_tokens",
        "stale_usd",
        "stopped",
        "stops",
        "tokens",
        "usd",
        "usd_per_minute",
        "watch",
    )

    def __init__(self, key: str, at: Seconds) -> None:
        self.key = key
        self.begun_at = at
        self.seen_at = at
        self.asked_at = at
        self.rate_at = at
        self.is_admitted = False
        self.is_warned = False
        self.has_waited = False
        self.in_flight = 0
        self.done = 0
        self.context: Tokens = 0
        self.tokens: Tokens = 0
        self.usd: Usd = 0.0
        self.usd_per_minute: Usd = 0.0
        self.stale_tokens: Tokens = 0
        self.stale_usd: Usd = 0.0
        self.stopped = ""
        self.stops = 0
        self.watch = Watch()

    def spend(self, at: Seconds, usd: Usd) -> None:
        """Money for one attempt; the rate fades over a minute."""
        self.usd += usd
        self.usd_per_minute = self.rate(at) + usd
        self.rate_at = at

    def rate(self, at: Seconds) -> Usd:
        """USD of the last minute, as an exponential mean."""
        return self.usd_per_minute * exp(-max(0.0, at - self.rate_at) / RATE_MEMORY_S)


class ClassPrograms:
    """All sessions of one class, and what they have taught."""

    __slots__ = (
        "_pauses",
        "away_s",
        "begin_at",
        "begin_rate",
        "context_live",
        "context_mean",
        "is_limited",
        "line",
        "live",
        "name",
        "resting",
        "rules",
        "step_s",
        "survival",
        "value_usd",
        "waiting",
    )

    def __init__(self, klass: RequestClass, rules: SessionRules) -> None:
        self.live: OrderedDict[str, Program] = OrderedDict()
        self.resting: OrderedDict[str, Program] = OrderedDict()
        self.waiting: OrderedDict[str, Program] = OrderedDict()
        self.line: deque[str] = deque()  # requests that wait for a session to begin, by id
        self.context_live: Tokens = 0
        self.context_mean = float(CONTEXT_PRIOR)
        self.step_s = STEP_PRIOR_S
        self.begin_at: Seconds = 0.0
        self.begin_rate = 0.0
        self._pauses = [PAUSE_PRIOR if 1 <= n <= 8 else 0.0 for n in range(PAUSE_BUCKETS)]
        self.survival = Survival(rules.steps)
        self.adopt(klass, rules)

    def adopt(self, klass: RequestClass, rules: SessionRules) -> None:
        """The class as the operator has it now; what was learnt stays."""
        self.name = klass.name
        self.rules = rules
        self.is_limited = bool(
            rules.steps_max
            or rules.tokens_max
            or rules.usd_max
            or rules.wall_s_max
            or rules.usd_per_minute_max
        )
        self.value_usd = rules.value_usd or klass.value_usd * self.survival.left(0)
        self.away_s = self._away_s()

    # Who is there.

    def find(self, key: str, at: Seconds) -> Program:
        """The session of that key, made if new; it shows a sign of life."""
        program = self.live.get(key)
        if program is not None:
            self.live.move_to_end(key)
        else:
            program = self.resting.pop(key, None)
            if program is not None:
                self._revive(program)
            else:
                program = self.waiting.get(key)
                if program is None:
                    program = self.waiting[key] = Program(key, at)
                    self._note_begin(at)
                    if len(self.waiting) > WAITING_MAX:
                        self.waiting.popitem(last=False)
        if program.is_admitted and not program.in_flight:
            self._note_pause(at - program.seen_at)
        program.seen_at = at
        return program

    def admit(self, program: Program, tokens: Tokens) -> None:
        """Its first step is placed: its context counts from now on."""
        self.waiting.pop(program.key, None)
        program.is_admitted = True
        program.context = tokens
        self._revive(program)

    def note_context(self, program: Program, tokens: Tokens) -> None:
        """A step was answered: so many tokens are kept warm. A sub-agent's few change little."""
        context = max(tokens, program.context - program.context // 8)
        self.context_mean += STEP * (context - self.context_mean)
        if program.key in self.live:
            self.context_live += context - program.context
        program.context = context

    def expire(self, at: Seconds) -> None:
        """Move on those whose time is up; each is touched once per stage of its life."""
        live, resting, waiting = self.live, self.resting, self.waiting
        while live:
            key, program = next(iter(live.items()))
            if program.in_flight and at - program.seen_at >= self.away_s:
                program.seen_at = at  # an answer under way is a sign of life
                live.move_to_end(key)
            elif at - program.seen_at < self.away_s and len(live) <= LIVE_MAX:
                break
            else:
                self._rest(program)
        while resting:
            program = next(iter(resting.values()))
            is_over = at - program.seen_at >= self.rules.idle_s_max
            if not is_over and len(resting) <= RESTING_MAX:
                break
            del resting[program.key]
            self.survival.ended(program.done, is_over and not program.stopped)
        while waiting and at - next(iter(waiting.values())).seen_at >= self.rules.idle_s_max:
            waiting.popitem(last=False)
        self.away_s = self._away_s()

    def _revive(self, program: Program) -> None:
        self.live[program.key] = program
        self.context_live += program.context

    def _rest(self, program: Program) -> None:
        del self.live[program.key]
        self.context_live -= program.context
        self.resting[program.key] = program

    # What is known of the class.

    def step_value(self, done: int, left: float) -> Usd:
        """What a session's next step is worth after `done` steps (see the file's head)."""
        return self.value_usd * (1.0 + BREAK_RATIO * done) / (done + left)

    def note_step(self, program: Program, at: Seconds) -> None:
        """A step is asked for: how long after the one before?"""
        if program.done:
            span = min(at - program.asked_at, self.rules.idle_s_max)
            self.step_s += STEP * (span - self.step_s)
        program.asked_at = at

    def wait_s(self) -> Seconds:
        """Until one more in line gets room: by Little's law sessions end at live / lifetime."""
        lifetime_s = self.survival.left(0) * self.step_s
        return (len(self.line) + 1) * lifetime_s / max(1, len(self.live))

    def density(self) -> float:
        """Worth of a completion per token of context and second: who is let in first."""
        return self.value_usd / (self.context_mean * self.survival.left(0) * self.step_s)

    def wanting(self) -> float:
        """Context that sessions arriving at the present rate will fill, beyond that of the live."""
        lifetime_s = self.survival.left(0) * self.step_s
        return max(0.0, self.begin_rate * lifetime_s * self.context_mean - self.context_live)

    def _note_begin(self, at: Seconds) -> None:
        """A new session asks to begin: one more a second, fading."""
        fade = exp(-max(0.0, at - self.begin_at) / BEGIN_MEMORY_S)
        self.begin_rate = self.begin_rate * fade + 1.0 / BEGIN_MEMORY_S
        self.begin_at = at

    def _note_pause(self, pause_s: Seconds) -> None:
        number = int(log2(max(0.25, pause_s) * 4.0))
        self._pauses[min(PAUSE_BUCKETS - 1, number)] += 1.0

    def _away_s(self) -> Seconds:
        """The pause that `PAUSE_QUANTILE` of the pauses stay below, to the next power of two."""
        allowed = (1.0 - PAUSE_QUANTILE) * sum(self._pauses)
        number = PAUSE_BUCKETS - 1
        while number > 0 and self._pauses[number] <= allowed:
            allowed -= self._pauses[number]
            number -= 1
        return min(self.rules.idle_s_max, 0.25 * 2.0 ** (number + 1))


class Programs:
    """The classes that have sessions, by name.

    `late_share` = steps lately placed only because they were not the first of their session: while
    it is high no new session begins. `kv_running` = prompt tokens of sessions' calls under way.
    `in_time_share` = of all requests that ended lately; while it is high one more session than the
    KV has room for may begin now and then (`extra_at` = when the last one began).
    """

    __slots__ = ("by_class", "extra_at", "in_time_share", "knock_at", "kv_running", "late_share")

    def __init__(self) -> None:
        self.by_class: dict[str, ClassPrograms] = {}
        self.late_share = 0.0
        self.knock_at: Seconds = 0.0
        self.kv_running = 0
        self.in_time_share = 1.0
        self.extra_at: Seconds = 0.0

    def adopt(self, classes: tuple[RequestClass, ...]) -> None:
        """The classes in force; those that have no sessions any more are forgotten."""
        kept: dict[str, ClassPrograms] = {}
        for klass in classes:
            if klass.sessions is None:
                continue
            known = self.by_class.get(klass.name)
            if known is None:
                known = ClassPrograms(klass, klass.sessions)
            else:
                known.adopt(klass, klass.sessions)
            kept[klass.name] = known
        self.by_class = kept

    @property
    def in_line(self) -> int:
        """Requests that wait for their session to begin."""
        return sum([len(group.line) for group in self.by_class.values()])

    def context_before(self, group: ClassPrograms) -> float:
        """Tokens that come before a new session of this class: its own live ones, and those of
        classes worth more per token and second, live or expected."""
        density = group.density()
        taken = float(group.context_live)
        for other in self.by_class.values():
            if other is not group and other.density() >= density:
                taken += other.context_live + other.wanting()
        return taken

    def note_ended(self, in_time: bool) -> None:
        """A request of any class came to an end; refused is not in time."""
        self.in_time_share += IN_TIME_STEP * (float(in_time) - self.in_time_share)

    def note_placed(self, is_late: bool) -> None:
        """A step of a session begun was placed, in spite of its price or promise if `is_late`."""
        self.late_share += LATE_STEP * (float(is_late) - self.late_share)

    def expire(self, at: Seconds, tick_s: Seconds) -> None:
        """A control period: let go of who is gone; what was late fades."""
        self.late_share *= exp(-tick_s / LATE_MEMORY_S)
        for group in self.by_class.values():
            group.expire(at)
