"""Does a session go round in circles: equal calls again and again, or compactions?

Only sizes, digests and prefix lineage are read, in constant time per step. A session may hold
several contexts (an agent and its sub-agents); a call belongs to the one whose deepest block it
continues. What is new in a call is told by its signature: the digest of what was added last, and by
how much its context grew (the same tool call with the same result gives the same two).

- repeats: so many calls in a row whose signature was seen within the last `SIGNATURES_KEPT`.
- no progress: twice as many in a row that bring back a known last message while the context grows.
- compactions: so many contexts in a row that were filled to the same size within a few steps and
  then thrown away. Sub-agents do not count: their caller's context goes on afterwards.

Thresholds are set against real sessions (docs/results/agents.md); issues of agent harnesses give
the loops: 463 compactions in 108 minutes, 123 equal calls in 16 minutes.
"""

from typing import Any

from flyball.model.request import RequestHead

SIGNATURES_KEPT = 32
THREADS_MAX = 4
# A context rewritten in its later half is the same context, if it has not become much shorter.
REWRITTEN_MIN = 0.8
SHRUNK_MAX = 0.7
CYCLE_STEPS_MAX = 6
PEAKS_ALIKE = 0.15
GROWTH_FACTOR = 2
# The same prompt sent again after its answer may be sampling: only many in a row are a loop.
SAMPLES_FACTOR = 3


class Thread:
    """One context of a session: its deepest block and one half-way, sizes in bytes, its steps."""

    __slots__ = ("bytes", "depth", "mid", "peak", "steps", "tip")

    def __init__(self, head: RequestHead) -> None:
        self.steps = 0
        self.peak = 0
        self.follow(head)

    def follow(self, head: RequestHead) -> None:
        """This call is its newest."""
        prefix = head.prefix
        self.depth = depth = len(prefix)
        self.tip = prefix[-1] if depth else 0
        self.mid = prefix[depth // 2 - 1] if depth > 1 else 0
        self.bytes = head.prompt_bytes
        self.peak = max(self.peak, head.prompt_bytes)
        self.steps += 1

    def holds(self, head: RequestHead) -> bool:
        """Whether this call continues it."""
        prefix, depth = head.prefix, self.depth
        if not depth:
            return head.prompt_bytes >= self.bytes
        if len(prefix) >= depth and prefix[depth - 1] == self.tip:
            return True
        half = depth // 2
        is_long = head.prompt_bytes >= REWRITTEN_MIN * self.bytes
        return is_long and 0 < half <= len(prefix) and prefix[half - 1] == self.mid


class Watch:
    """What was seen of one session, bounded. `stale` = calls in a row that brought nothing new."""

    __slots__ = (
        "_cycle_peak",
        "_signatures",
        "_tails",
        "_threads",
        "cycle_steps",
        "cycles",
        "same",
        "stale",
        "stale_growing",
    )

    def __init__(self) -> None:
        self._threads: list[Thread] = []
        self._signatures: dict[tuple[int, int], None] = {}
        self._tails: dict[int, None] = {}
        self._cycle_peak = 0
        self.cycle_steps = 0
        self.cycles = 0
        self.stale = 0
        self.stale_growing = 0
        self.same = 0

    @property
    def context_bytes(self) -> int:
        """Of the newest call."""
        return self._threads[-1].bytes if self._threads else 0

    @property
    def peak_bytes(self) -> int:
        """To which contexts were filled before they were thrown away."""
        return self._cycle_peak

    @property
    def is_moving(self) -> bool:
        """Whether the newest call brought something new."""
        return not (self.stale or self.stale_growing or self.same)

    def step(self, head: RequestHead, is_alone: bool) -> None:
        """Take in one fresh call; `is_alone` = no other call of the session is under way."""
        thread = self._find(head)
        if thread is None:
            growth = head.prompt_bytes
            self._open(head)
        else:
            growth = head.prompt_bytes - thread.bytes
            thread.follow(head)
        if head.last_digest:
            self._compare(head.last_digest, growth, is_alone)

    def why(self, repeats_max: int, compactions_max: int) -> str:
        """`repeats`, `no progress`, `compactions`, or "" if nothing is wrong."""
        if self.stale >= repeats_max or self.same >= SAMPLES_FACTOR * repeats_max:
            return "repeats"
        if self.stale_growing >= GROWTH_FACTOR * repeats_max:
            return "no progress"
        return "compactions" if self.cycles >= compactions_max else ""

    def _find(self, head: RequestHead) -> Thread | None:
        threads = self._threads
        for number in range(len(threads) - 1, -1, -1):
            thread = threads[number]
            if thread.holds(head):
                if number < len(threads) - 1:  # an older context goes on: no loop of compactions
                    self.cycles = 0
                    del threads[number]
                    threads.append(thread)
                return thread
        return None

    def _open(self, head: RequestHead) -> None:
        threads = self._threads
        if threads:
            last = threads[-1]
            if head.prompt_bytes <= SHRUNK_MAX * last.peak and last.steps <= CYCLE_STEPS_MAX:
                alike = abs(last.peak - self._cycle_peak) <= PEAKS_ALIKE * last.peak
                self.cycles = self.cycles + 1 if alike else 1
                self.cycle_steps = last.steps
            else:
                self.cycles = 0
            self._cycle_peak = last.peak
        threads.append(Thread(head))
        if len(threads) > THREADS_MAX:
            del threads[0]

    def _compare(self, tail: int, growth: int, is_alone: bool) -> None:
        if growth == 0:
            self.same = self.same + 1 if is_alone else 0
            return
        self.same = 0
        signature = (tail, growth)
        self.stale = self.stale + 1 if signature in self._signatures else 0
        is_known = tail in self._tails
        self.stale_growing = self.stale_growing + 1 if is_known and growth > 0 else 0
        _remember(self._signatures, signature)
        _remember(self._tails, tail)


def _remember(seen: dict[Any, None], what: object) -> None:
    """Newest last; beyond the bound the oldest is forgotten."""
    seen.pop(what, None)
    seen[what] = None
    if len(seen) > SIGNATURES_KEPT:
        del seen[next(iter(seen))]
