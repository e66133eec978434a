"""What can happen to the governor? Each event carries its own time; chance and ids come in with it.

A driver turns its input into these and feeds them, one at a time, to `Governor.handle`.
"""

from msgspec import Struct

from flyball.governor.policy import Policy
from flyball.model.fleet import Fleet
from flyball.model.loop import LoopMode
from flyball.model.prices import PriceBoard
from flyball.model.quote import Quote
from flyball.model.request import RequestHead
from flyball.model.signals import EngineSample, PeerLoad, Settled
from flyball.pricing.problem import Solution
from flyball.units import Seconds, Tokens


class RequestArrived(Struct, frozen=True, tag=True, gc=False):
    """A client's request is complete. `draw`, uniform in [0, 1), is all the chance it may use."""

    at: Seconds
    request_id: str
    head: RequestHead
    draw: float


class QuoteAsked(Struct, frozen=True, tag=True, gc=False):
    """A client asks for a guarantee. `quote_id` is drawn by the driver and cannot be guessed.

    `head.output_tokens_max` = the longest answer to be covered (0 = none, for calls that only
    read), `head.deadline_s` = by when it must be whole (0 = as soon as can be guaranteed).
    """

    at: Seconds
    quote_id: str
    head: RequestHead
    input_tokens: Tokens


class QuoteTaken(Struct, frozen=True, tag=True):
    """A quote moved between workers: to this one (`quote`), or away from it (None)."""

    at: Seconds
    quote_id: str
    quote: Quote | None


class HedgeDue(Struct, frozen=True, tag=True, gc=False):
    """`Allowance.hedge_at` has come and no byte of an answer has."""

    at: Seconds
    request_id: str


class FirstByte(Struct, frozen=True, tag=True, gc=False):
    """The first byte of the answer's body reached the gateway; left out if it was also the last.

    `attempt` = whose it is where a copy is under way (in this and the next two events); 0 = the
    only one's. The other has been closed.
    """

    at: Seconds
    request_id: str
    attempt: int = 0


class Served(Struct, frozen=True, tag=True, gc=False):
    """The answer was relayed whole. Token counts are the engine's own; 0 = it did not tell.

    `response_id` = the id of a stored answer (Responses API) that a later call may continue.
    """

    at: Seconds
    request_id: str
    status: int
    input_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    output_tokens: Tokens = 0
    output_bytes: int = 0
    response_id: str = ""
    attempt: int = 0


class AttemptFailed(Struct, frozen=True, tag=True, gc=False):
    """One attempt failed. `started` = bytes of an answer already went to the client.

    `cause`: connect, reset, early-close, garbage, stall, status, tls. `status`: the engine's, or 0.
    """

    at: Seconds
    request_id: str
    endpoint: int
    cause: str
    status: int = 0
    retry_after_s: Seconds = 0.0
    started: bool = False
    detail: str = ""
    attempt: int = 0


class ClientGone(Struct, frozen=True, tag=True, gc=False):
    """The client closed before the answer was whole."""

    at: Seconds
    request_id: str


class DeadlinePassed(Struct, frozen=True, tag=True, gc=False):
    """The deadline set in `Forward` or `Hold` has passed."""

    at: Seconds
    request_id: str


class Sampled(Struct, frozen=True, tag=True):
    """An endpoint was scraped: a sample, or None and the reason."""

    at: Seconds
    endpoint: int
    sample: EngineSample | None
    error: str = ""


class PeersSeen(Struct, frozen=True, tag=True):
    """The other workers' work in flight; endpoints not listed carry none of it."""

    at: Seconds
    loads: tuple[PeerLoad, ...]


class Observed(Struct, frozen=True, tag=True):
    """Outcomes settled by the workers since the last report (control process only)."""

    at: Seconds
    settled: tuple[Settled, ...]


class Tick(Struct, frozen=True, tag=True):
    """A control period begins."""

    at: Seconds


class Solved(Struct, frozen=True, tag=True):
    """The answer to `Solve`; None and a reason if the solver failed."""

    at: Seconds
    solution: Solution | None
    error: str = ""


class BoardReceived(Struct, frozen=True, tag=True):
    """A price board published elsewhere (by the control process, or another site)."""

    at: Seconds
    board: PriceBoard


class FleetChanged(Struct, frozen=True, tag=True):
    """A configuration came into force: the whole new fleet, classes and principals."""

    at: Seconds
    fleet: Fleet
    policy: Policy
    digest: str


class EndpointDraining(Struct, frozen=True, tag=True):
    """An operator takes an endpoint out of (or back into) service."""

    at: Seconds
    endpoint: int
    draining: bool


class DrainBegun(Struct, frozen=True, tag=True):
    """This gateway shuts down: admit nothing new, finish what runs."""

    at: Seconds


class LedgerChanged(Struct, frozen=True, tag=True):
    """The ledger can or cannot record."""

    at: Seconds
    available: bool
    detail: str = ""


class LoopModeSet(Struct, frozen=True, tag=True):
    """An operator sets a loop's mode while it runs; None = as configured again."""

    at: Seconds
    loop: str
    mode: LoopMode | None
    who: str = ""
    reason: str = ""


class HoldSet(Struct, frozen=True, tag=True):
    """An operator freezes a loop's set-points, or lets them go again. `loop` "" = all loops.

    `until` None = till released.
    """

    at: Seconds
    loop: str
    is_held: bool
    until: Seconds | None = None
    who: str = ""
    reason: str = ""


class Actuated(Struct, frozen=True, tag=True):
    """What became of a `Set`: the actuator stands at `value` now, or the fault why it does not.

    Also sent unasked where somebody else moved the actuator.
    """

    at: Seconds
    actuator: str
    scope: str
    value: float
    fault: str = ""


class Metered(Struct, frozen=True, tag=True):
    """A reading that is no engine's own, such as `site.watts`, for one scope."""

    at: Seconds
    sensor: str
    scope: str
    value: float


class BundleOrigin(Struct, frozen=True):
    """Where a bundle comes from: its role here, its version, and who signed it."""

    role: str
    version: int
    signers: tuple[str, ...] = ()


class BundlesSet(Struct, frozen=True, tag=True):
    """These policy bundles are in force from now on (digests, workload first; () = none).

    `origins` = one for each digest, or () where nothing is known of them.
    """

    at: Seconds
    digests: tuple[str, ...]
    by: str = ""
    origins: tuple[BundleOrigin, ...] = ()


class Revoked(Struct, frozen=True, tag=True):
    """Mandates with one of these revocation ids are void: admit nothing, cut what runs.

    `sequence` counts within `feed`; `made_at` = when the event was signed, by its maker's clock.
    `subjects` void all that was granted (`Mandate.not_before`) up to `made_at` to "human:ISS|SUB"
    (`Mandate.human`) or under "session:ISS|SID" (`Mandate.session`, of the human's issuer): who
    logs in again gets new mandates, which hold.
    """

    at: Seconds
    feed: str
    sequence: int
    ids: tuple[str, ...]
    by: str
    reason: str
    made_at: Seconds = 0.0
    subjects: tuple[str, ...] = ()


class FeedHeard(Struct, frozen=True, tag=True):
    """A feed of revocations was heard, complete up to `sequence`: the view is fresh as of `at`."""

    at: Seconds
    feed: str
    sequence: int


class StopSet(Struct, frozen=True, tag=True):
    """A named person stops what `scope` says (or lets it go on): no new work, cut what runs.

    `scope` = "all", "class:NAME", "session:KEY", "principal:NAME", "model:NAME" or "site:NAME".
    """

    at: Seconds
    scope: str
    is_stopped: bool
    by: str
    reason: str
    seconded_by: str = ""
    until: Seconds = 0.0
    made_at: Seconds = 0.0


class BudgetTold(Struct, frozen=True, tag=True):
    """A worker's purse of one block: what it wants, what it spent, what it gives back.

    Sums in micro-USD since it last told; `worker` = its number. Control process only.
    """

    at: Seconds
    worker: int
    block: str
    limit_micro_usd: int
    wanted: int = 0
    spent: int = 0
    returned: int = 0


class BudgetsKept(Struct, frozen=True, tag=True):
    """What may have been spent of each budget before this start; what is lent from now on is made
    durable first (KeepBudget). Each = (block, limit, committed) in micro-USD.

    To the control process, or to a process that is alone, before its first client.
    """

    at: Seconds
    accounts: tuple[tuple[str, int, int], ...]


class WorkerLost(Struct, frozen=True, tag=True):
    """A worker ended: what was lent to it counts as spent, as nobody can say what was."""

    at: Seconds
    worker: int


class BudgetLent(Struct, frozen=True, tag=True):
    """This worker may spend `amount` more of a block's budget; 0 = nothing is left to lend now.

    `lent` = what other workers have of it and may give back.
    """

    at: Seconds
    block: str
    amount: int
    lent: int = 0


Event = (
    RequestArrived
    | QuoteAsked
    | QuoteTaken
    | FirstByte
    | HedgeDue
    | Served
    | AttemptFailed
    | ClientGone
    | DeadlinePassed
    | Sampled
    | PeersSeen
    | Observed
    | Tick
    | Solved
    | BoardReceived
    | FleetChanged
    | EndpointDraining
    | DrainBegun
    | LedgerChanged
    | LoopModeSet
    | HoldSet
    | Actuated
    | Metered
    | BundlesSet
    | Revoked
    | FeedHeard
    | StopSet
    | BudgetTold
    | WorkerLost
    | BudgetLent
    | BudgetsKept
)
