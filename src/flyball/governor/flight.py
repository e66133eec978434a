"""What is remembered of one request between its arrival and its outcome?"""

from flyball.governor.endpoint import EndpointState
from flyball.governor.events import AttemptFailed
from flyball.governor.mandates import Party
from flyball.governor.programs import Program
from flyball.governor.promises import Guarantee
from flyball.governor.scope import Scope
from flyball.model.mandate import Approval, MicroUsd
from flyball.model.request import Principal, RequestClass, RequestHead
from flyball.model.verdict import Question, Verdict
from flyball.units import Seconds, Usd

ANYONE = Principal(name="anonymous", key_sha256="")
UNKNOWN_CLASS = RequestClass(name="")
NOWHERE = Scope("", (), [])


class Granted:
    """What differs from what the client asked for; a request without any such has none of these.

    `arm` = the probe arm of a cut prompt (an index, -1 = none), with the USD that the request costs
    there and that the arm that keeps less saves over the other. `model` = who answers, "" = asked.
    """

    __slots__ = ("arm", "clamp_output", "model", "saved_usd", "spent_usd", "tokens_kept")

    def __init__(self, tokens_kept: int) -> None:
        self.tokens_kept = tokens_kept
        self.arm = -1
        self.spent_usd: Usd = 0.0
        self.saved_usd: Usd = 0.0
        self.clamp_output = False
        self.model = ""


class Rival:
    """The other of two copies of one request: all that differs between them."""

    __slots__ = (
        "attempt", "blocks_believed", "cached_tokens", "endpoint", "forwarded_at", "kv", "prefill",
        "tpot_bias_log", "tpot_s", "ttft_bias_log", "ttft_s",
    )  # fmt: skip

    def __init__(self, flight: "Flight") -> None:
        self.attempt = flight.attempt
        self.endpoint = flight.endpoint
        self.forwarded_at: Seconds = flight.forwarded_at
        self.prefill = flight.prefill
        self.kv = flight.kv
        self.cached_tokens = flight.cached_tokens
        self.blocks_believed = flight.blocks_believed
        self.ttft_s: Seconds = flight.ttft_s
        self.tpot_s: Seconds = flight.tpot_s
        self.ttft_bias_log = flight.ttft_bias_log
        self.tpot_bias_log = flight.tpot_bias_log


class Flight:
    """One request in the governor's hands: held, or running at `endpoint`.

    `e2e_s` = by when it should be whole, `deadline_s` = by when it must be, or be refused early
    (both from arrival here, the client's network taken off; 0 = not promised). `z` above 0 = they
    are to be kept with that many deviations to spare. `owner` = whose sessions it may continue,
    `party` = its mandate, `verdict` = what policy said last, to the question `asked`; `reserved` =
    micro-USD set aside of the mandate's budgets and `spent` = what is taken of that already.
    """

    __slots__ = (
        "advice",
        "approvals",
        "arrived_at",
        "asked",
        "attempt",
        "attempts_max",
        "bid_usd",
        "blocks_believed",
        "blocks_held",
        "cached_tokens",
        "class_index",
        "copy_attempt",
        "cost_usd",
        "crowded_out",
        "deadline_at",
        "deadline_s",
        "depth",
        "draw",
        "e2e_s",
        "endpoint",
        "failure",
        "fallbacks",
        "first_byte_at",
        "forwarded_at",
        "granted",
        "guarantee",
        "head",
        "held_until",
        "is_retry",
        "klass",
        "kv",
        "lineage",
        "matches",
        "output_tokens",
        "output_tokens_max",
        "owner",
        "party",
        "prefill",
        "principal",
        "program",
        "prompt_tokens",
        "request_id",
        "reserved",
        "rival",
        "scope",
        "session",
        "session_left",
        "session_source",
        "session_step",
        "spent",
        "tpot_bias_log",
        "tpot_s",
        "tried",
        "ttft_bias_log",
        "ttft_s",
        "value_usd",
        "verdict",
        "z",
    )

    def __init__(self, request_id: str, at: Seconds, head: RequestHead, draw: float) -> None:
        self.request_id = request_id
        self.arrived_at = at
        self.head = head
        self.draw = draw
        self.principal: Principal = ANYONE
        self.owner = ANYONE.name
        self.party: Party | None = None
        self.verdict: Verdict | None = None
        self.asked: Question | None = None
        self.approvals: tuple[Approval, ...] = ()
        self.reserved: MicroUsd = 0
        self.spent: MicroUsd = 0
        self.klass: RequestClass = UNKNOWN_CLASS
        self.class_index = 0
        self.scope: Scope = NOWHERE
        self.session = ""
        self.session_source = ""
        self.session_step = 0
        self.session_left = 0.0
        self.lineage = request_id
        self.is_retry = False
        self.program: Program | None = None
        self.advice = ""
        self.bid_usd: Usd = 0.0
        self.prompt_tokens = 0
        self.granted: Granted | None = None
        self.output_tokens = 0
        self.output_tokens_max = 0
        self.deadline_at: Seconds = 0.0
        self.deadline_s: Seconds = 0.0
        self.e2e_s: Seconds = 0.0
        self.z = 0.0
        self.depth = 0
        self.guarantee: Guarantee | None = None
        self.crowded_out = False
        self.attempts_max = 1
        self.attempt = 0
        self.tried: tuple[int, ...] = ()
        self.value_usd: Usd = 0.0
        self.endpoint: EndpointState | None = None
        self.rival: Rival | None = None
        self.copy_attempt = 0
        self.fallbacks: tuple[int, ...] = ()
        self.held_until: Seconds = 0.0
        self.forwarded_at: Seconds = 0.0
        self.first_byte_at: Seconds = 0.0
        self.matches: tuple[tuple[int, int], ...] = ()
        self.blocks_held: dict[int, int] = {}
        self.blocks_believed = 0
        self.prefill = 0.0
        self.kv = 0.0
        self.cached_tokens = 0
        self.ttft_bias_log = self.tpot_bias_log = 0.0
        self.ttft_s: Seconds = 0.0
        self.tpot_s: Seconds = 0.0
        self.cost_usd: Usd = 0.0
        self.failure: AttemptFailed | None = None

    def turn_to_rival(self) -> None:
        """Make the other copy the flight's own, and this one its rival."""
        other = self.rival
        if other is None:
            return
        self.rival = Rival(self)
        self.attempt = other.attempt
        self.endpoint = other.endpoint
        self.forwarded_at = other.forwarded_at
        self.prefill = other.prefill
        self.kv = other.kv
        self.cached_tokens = other.cached_tokens
        self.blocks_believed = other.blocks_believed
        self.ttft_s = other.ttft_s
        self.tpot_s = other.tpot_s
        self.ttft_bias_log = other.ttft_bias_log
        self.tpot_bias_log = other.tpot_bias_log
