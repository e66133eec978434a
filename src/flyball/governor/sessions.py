"""Which session does a request belong to, where does its cache live, and is it a repeat?

Bounded tables, oldest forgotten first: sessions by key, by the prompt's prefix (for clients that
name none) and by the stored answer they continue; and recent prompts by digest (to tell a retry
from fresh demand).
"""

from collections import OrderedDict

from flyball.units import Seconds

SESSIONS_MAX = 200_000
PROMPTS_MAX = 200_000
PREFIX_STEPS_MAX = 64
IDLE_S_MAX: Seconds = 3600.0
EXPIRED_MAX = 1000


class Session:
    """Where an agent's program lives (an endpoint's name) and how much context it keeps warm."""

    __slots__ = ("calls", "home", "key", "seen_at", "tokens")

    def __init__(self, key: str) -> None:
        self.key = key
        self.home = ""
        self.tokens = 0
        self.calls = 0
        self.seen_at: Seconds = 0.0


class Prompt:
    """A prompt seen lately: the first attempt's id, and whether its last attempt went unanswered.

    Only an unanswered prompt makes the next one a retry: the same prompt sent twice at once is
    sampling, and sent again after an answer it is fresh demand. `context_arm` = the arm in which
    its cut version was answered (-1 = in none): sent again, it counts as a repeat of that arm.
    """

    __slots__ = ("context_arm", "lineage", "unanswered")

    def __init__(self, lineage: str) -> None:
        self.lineage = lineage
        self.unanswered = False
        self.context_arm = -1


class SessionTable:
    """All the tables."""

    def __init__(self) -> None:
        self.by_key: OrderedDict[str, Session] = OrderedDict()
        self.by_prefix: OrderedDict[int, str] = OrderedDict()
        self.by_response: OrderedDict[str, str] = OrderedDict()
        self.prompts: OrderedDict[tuple[str, int], Prompt] = OrderedDict()

    def find_by_prefix(self, prefix: tuple[int, ...]) -> str:
        """The session whose last prompt is the longest known beginning of this one, or ""."""
        table = self.by_prefix
        for block in prefix[: -PREFIX_STEPS_MAX - 1 : -1]:
            key = table.get(block)
            if key is not None:
                return key
        return ""

    def touch(self, key: str, at: Seconds) -> Session:
        """The session of that key, made if new, marked as newest."""
        session = self.by_key.get(key)
        if session is None:
            session = self.by_key[key] = Session(key)
            if len(self.by_key) > SESSIONS_MAX:
                self.by_key.popitem(last=False)
        else:
            self.by_key.move_to_end(key)
        session.calls += 1
        session.seen_at = at
        return session

    def expire(self, at: Seconds) -> None:
        """Forget sessions that have been silent for `IDLE_S_MAX`, some at a time."""
        table = self.by_key
        for _ in range(EXPIRED_MAX):
            if not table or at - next(iter(table.values())).seen_at < IDLE_S_MAX:
                return
            table.popitem(last=False)

    def remember_prefix(self, prefix: tuple[int, ...], key: str) -> None:
        """The prompt's deepest block now leads to this session."""
        if prefix:
            self.by_prefix[prefix[-1]] = key
            if len(self.by_prefix) > SESSIONS_MAX:
                self.by_prefix.popitem(last=False)

    def remember_response(self, response_id: str, key: str) -> None:
        """A call that continues this stored answer belongs to the same session."""
        self.by_response[response_id] = key
        if len(self.by_response) > SESSIONS_MAX:
            self.by_response.popitem(last=False)

    def prompt(self, owner: str, digest: int, request_id: str) -> tuple[Prompt, bool]:
        """The prompt's entry and whether it repeats one that ended without an answer."""
        key = (owner, digest)
        seen = self.prompts.get(key)
        if seen is not None and seen.unanswered:
            seen.unanswered = False
            return seen, True
        fresh = self.prompts[key] = Prompt(request_id)
        self.prompts.move_to_end(key)
        if len(self.prompts) > PROMPTS_MAX:
            self.prompts.popitem(last=False)
        return fresh, False

    def mark_unanswered(self, owner: str, digest: int) -> None:
        """The same prompt again will be a retry."""
        seen = self.prompts.get((owner, digest))
        if seen is not None:
            seen.unanswered = True
