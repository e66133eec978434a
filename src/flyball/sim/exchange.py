"""What is known of one piece of a client's work, and of one try of it at a gateway?"""

from typing import Literal, NamedTuple

from flyball.dialects.traces.row import TraceRow
from flyball.model.request import RequestClass
from flyball.sim.agents import AgentClient
from flyball.units import Ratio, Seconds, Tokens

End = Literal["", "served", "refused", "failed", "gave-up", "unfinished"]


class Lineage(NamedTuple):
    """Whose call it is: the session's number, its step from 0, and how often that step has broken.

    The layers below are counted by the call: tries of the agent, of its SDK, of the gateway.
    """

    program: int
    step: int
    repeat: int


class Call:
    """One answer that a client wants; it may take several tries, and ends once.

    `agent` = the loop round the SDK that tries again when the SDK has given up; None = there is
    none. Of all `tries` (sendings), `sdk_tries` belong to the agent's present one.
    """

    __slots__ = (
        "agent",
        "agent_tries",
        "cached_tokens",
        "code",
        "current",
        "done_at",
        "end",
        "endpoint",
        "first_at",
        "gateway_retries",
        "is_over",
        "kept_ratio",
        "klass",
        "lineage",
        "number",
        "output_tokens",
        "row",
        "sdk_tries",
        "sent_at",
        "tries",
    )

    def __init__(
        self,
        number: int,
        row: TraceRow,
        klass: RequestClass,
        at: Seconds,
        lineage: Lineage | None = None,
        agent: AgentClient | None = None,
    ) -> None:
        self.number = number
        self.row = row
        self.klass = klass
        self.sent_at = at
        self.lineage = lineage
        self.agent = agent
        self.tries = 0
        self.agent_tries = 1
        self.sdk_tries = 0
        self.gateway_retries = 0
        self.kept_ratio: Ratio = 1.0
        self.first_at: Seconds = 0.0
        self.done_at: Seconds = 0.0
        self.end: End = ""
        self.code = ""
        self.endpoint = -1
        self.cached_tokens: Tokens = 0
        self.output_tokens: Tokens = 0
        self.is_over = False
        self.current: Exchange | None = None  # the try that the client still listens to

    @property
    def ttft_s(self) -> Seconds:
        """From the first try's sending to the first token's arrival, retries and all."""
        return self.first_at - self.sent_at

    @property
    def e2e_s(self) -> Seconds:
        """From the first try's sending to the last token's arrival (or the failure's)."""
        return self.done_at - self.sent_at

    @property
    def tpot_s(self) -> Seconds:
        """Mean time per token after the first; 0 = there was no second token."""
        others = self.output_tokens - 1
        return (self.done_at - self.first_at) / others if others > 0 else 0.0

    @property
    def is_in_time(self) -> bool:
        """Served, and within every promise of its class as the client sees it."""
        promise = self.klass.promise
        if self.end != "served" or (promise.e2e_s and self.e2e_s > promise.e2e_s):
            return False
        if promise.ttft_s and self.ttft_s > promise.ttft_s:
            return False
        return not promise.tpot_s or self.tpot_s <= promise.tpot_s


class Exchange:
    """One try of a call, at one gateway; the gateway may send it to several endpoints in turn.

    `is_over` = the gateway has answered or closed it.
    """

    __slots__ = (
        "attempt",
        "cached_tokens",
        "call",
        "deadline_at",
        "endpoint",
        "first_byte",
        "gateway",
        "id",
        "is_copied",
        "is_over",
        "job_id",
        "kept_ratio",
        "rival",
    )

    def __init__(self, call: Call, gateway: int, request_id: str) -> None:
        self.call = call
        self.gateway = gateway
        self.id = request_id
        self.attempt = 0
        self.endpoint = -1
        self.job_id = ""
        self.first_byte = False
        self.cached_tokens: Tokens = 0
        self.deadline_at: Seconds = 0.0
        self.is_over = False
        self.kept_ratio: Ratio = 1.0
        self.is_copied = False
        self.rival: tuple[str, int, int, Tokens] | None = None

    def turn(self, job_id: str) -> bool:
        """Whether `job_id` is the other of two copies; it then becomes the one at hand."""
        other = self.rival
        if other is None or other[0] != job_id:
            return False
        self.rival = (self.job_id, self.endpoint, self.attempt, self.cached_tokens)
        self.job_id, self.endpoint, self.attempt, self.cached_tokens = other
        return True

    def split(self) -> None:
        """Keep the job at hand as the rival of one to come."""
        self.rival = (self.job_id, self.endpoint, self.attempt, self.cached_tokens)
        self.is_copied = True

    @property
    def told(self) -> int:
        """Which attempt it is, where there is or was more than one at a time; else 0."""
        return self.attempt if self.is_copied else 0

    @property
    def input_tokens(self) -> Tokens:
        """Prompt tokens that the engine gets: all, unless the context was cut."""
        whole = self.call.row.input_tokens
        return whole if self.kept_ratio == 1.0 else max(1, int(whole * self.kept_ratio))
