"""LiteLLM's latency-based routing: the deployment whose last answers were fastest per token.

An endpoint not used yet counts as 0, so it is tried first. One that fails more than half of its
requests in the current minute (and had at least two) is left out for the cooldown.
"""

from collections import defaultdict, deque
from collections.abc import Sequence

from flyball.governor.events import AttemptFailed, Served
from flyball.model.faults import Refusal
from flyball.sim.rivals.router import NEVER, Ask, EndpointView, Pick, Router
from flyball.units import Seconds

TIMEOUTS = frozenset({"stall", "deadline"})


class LitellmLatency(Router):
    """A stream is judged by time to first token over answer tokens once there is such a figure,
    anything else by the whole time over answer tokens: as the code does it."""

    name = "litellm_latency"

    def begin(self) -> None:
        """No deployment was used."""
        self.attempts_max = int(self.constants["attempts_max"])
        self._whole: dict[int, list[float]] = defaultdict(list)
        self._first: dict[int, list[float]] = defaultdict(list)
        self._cooling: dict[int, Seconds] = {}
        self._minutes: dict[int, deque[tuple[int, bool]]] = defaultdict(lambda: deque(maxlen=4096))

    def pick(self, at: Seconds, ask: Ask, endpoints: Sequence[EndpointView]) -> Pick:
        """One drawn of those within the buffer above the fastest."""
        warm = [one for one in endpoints if at >= self._cooling.get(one.index, NEVER)]
        if not warm:
            after_s = self.constants["cooldown_s"]
            detail = "every deployment is cooling down"
            return Refusal(code="no_endpoint", detail=detail, retry_after_s=after_s)
        latencies = [self.latency(one.index, ask.head.stream) for one in warm]
        limit = min(latencies) * (1.0 + self.constants["latency_buffer"])
        return self.draw_one(
            [one for one, value in zip(warm, latencies, strict=True) if value <= limit]
        )

    def latency(self, index: int, stream: bool) -> float:
        """Seconds per token, of the kept answers; the divisor is the number of whole times even
        where first tokens are added up."""
        whole = self._whole.get(index)
        if not whole:
            return 0.0
        first = self._first.get(index)
        return sum(first if stream and first else whole) / len(whole)

    def served(self, at: Seconds, ask: Ask, endpoint: EndpointView, event: Served) -> None:
        """Keep its latencies; an answer without tokens (embeddings) counts as one token."""
        index, tokens = endpoint.index, max(1, event.output_tokens)
        self._keep(self._whole[index], (at - ask.forwarded_at) / tokens)
        if ask.head.stream:
            self._keep(self._first[index], (ask.first_byte_at - ask.forwarded_at) / tokens)
        self._minutes[index].append((self._minute(at), True))

    def _keep(self, kept: list[float], value: float) -> None:
        most = int(self.constants["samples_max"])
        kept[most - 1 :] = [value]

    def failed(self, at: Seconds, ask: Ask, endpoint: EndpointView, cause: str) -> None:
        """Count it; a time-out also spoils its average."""
        if cause == "gone":
            return
        index, c = endpoint.index, self.constants
        if cause in TIMEOUTS:
            self._keep(self._whole[index], c["timeout_penalty"])
        minutes = self._minutes[index]
        minutes.append((self._minute(at), False))
        this_minute = [good for minute, good in minutes if minute == self._minute(at)]
        failures = this_minute.count(False)
        if len(this_minute) > 1 and failures > c["failure_ratio_max"] * len(this_minute):
            self._cooling[index] = at + c["cooldown_s"]

    def _minute(self, at: Seconds) -> int:
        return int(at // self.constants["window_s"])

    def retry_s(self, at: Seconds, ask: Ask, event: AttemptFailed) -> Seconds | None:
        """At once, at another deployment; 4xx other than 408, 409 and 429 are not retried."""
        final = 400 <= event.status < 500 and event.status not in (408, 409, 429)
        return None if final or ask.attempt >= self.attempts_max else 0.0
