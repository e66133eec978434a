"""What does the governor want done? A driver carries these out and reports back by events."""

from msgspec import Struct

from flyball.diagnosis.finding import Evidence, Finding
from flyball.model import decision
from flyball.model.decision import Allowance
from flyball.model.faults import Refusal
from flyball.model.prices import PriceBoard
from flyball.model.quote import Quote
from flyball.model.signals import Settled
from flyball.pricing.problem import Problem
from flyball.units import Seconds, Usd


class Forward(Struct, frozen=True, tag=True, gc=False):
    """Send the request to `endpoint` (its number); `fallbacks` are the ordered alternatives.

    `attempt` counts from 1. The driver must report FirstByte, then Served, AttemptFailed,
    ClientGone or DeadlinePassed (at `allowance.deadline_at`). A failed attempt that may be retried
    is answered by another Forward, so the driver never retries by itself.

    `is_copy` = send it beside the attempt under way: the one whose first byte comes first goes on,
    the other is closed at that moment. At `allowance.hedge_at`, if not 0, HedgeDue is due unless a
    first byte has come. `after_record` = not before its intent's record is durable.
    """

    request_id: str
    attempt: int
    endpoint: int
    fallbacks: tuple[int, ...]
    allowance: Allowance
    price_usd: Usd
    board_version: int
    rule: str
    class_name: str
    is_copy: bool = False
    after_record: bool = False


class Reject(Struct, frozen=True, tag=True, gc=False):
    """Answer the client with this refusal, in the client's own error format."""

    request_id: str
    refusal: Refusal


class Quoted(Struct, frozen=True, tag=True, gc=False):
    """The answer to `QuoteAsked`: a quote, or why there is none.

    `soonest_s` = the shortest deadline that could be guaranteed now; 0 = none could.
    """

    quote_id: str
    quote: Quote | None
    refusal: Refusal | None = None
    soonest_s: Seconds = 0.0


class QuoteClosed(Struct, frozen=True, tag=True, gc=False):
    """A quote is used or has expired: nobody may use it any more."""

    quote_id: str


class Hold(Struct, frozen=True, tag=True, gc=False):
    """Keep the request waiting; a Forward or Reject follows. DeadlinePassed is due at `until`."""

    request_id: str
    until: Seconds


class Abort(Struct, frozen=True, tag=True, gc=False):
    """Close the upstream of this request, and the client's stream, at once.

    `refusal` None = the client is gone already: nothing can be answered.
    """

    request_id: str
    refusal: Refusal | None


class Record(Struct, frozen=True, tag=True, gc=False):
    """Append to the ledger, in this order."""

    record: decision.Record


class Solve(Struct, frozen=True, tag=True):
    """Solve the joint problem; answer with Solved."""

    problem: Problem


class Publish(Struct, frozen=True, tag=True):
    """A new price board: show it, and send it to the workers."""

    board: PriceBoard


class Report(Struct, frozen=True, tag=True):
    """Outcomes for the control process (a worker's driver sends them; answer: Observed there)."""

    settled: tuple[Settled, ...]


class Notice(Struct, frozen=True, tag=True):
    """A line for the operator's log. `code` is stable; `level` info, warning or error."""

    level: str
    code: str
    message: str


class Set(Struct, frozen=True, tag=True):
    """Bring an actuator to a value; answer with Actuated. `targets` = endpoints it is about.

    Of several for one actuator and scope only the newest counts.
    """

    loop: str
    actuator: str
    scope: str
    value: float
    targets: tuple[str, ...] = ()


class Advise(Struct, frozen=True, tag=True):
    """What a loop would set if it might: shown where operators look. Replaces the last one of this
    loop and scope; `wish` None = nothing to recommend any more."""

    at: Seconds
    loop: str
    actuator: str
    scope: str
    present: float
    wish: float | None
    mode: str
    reason: str
    targets: tuple[str, ...] = ()


class Diagnosed(Struct, frozen=True, tag=True):
    """What diagnosis sees now, for whoever shows it: findings that stand, margins by loop or pool,
    signals that are missing, and the loops it holds with the code for which it does. Replaces the
    last one; holds are to be made known to the workers."""

    at: Seconds
    findings: tuple[Finding, ...]
    margins: tuple[tuple[str, Evidence], ...]
    missing: tuple[str, ...]
    held: tuple[tuple[str, str], ...]


class TellBudget(Struct, frozen=True, tag=True, gc=False):
    """To the control process: what this worker wants, spent and gives back of a block's budget
    (micro-USD since it last told). Answer, if it wants any: BudgetLent."""

    block: str
    limit_micro_usd: int
    wanted: int = 0
    spent: int = 0
    returned: int = 0


class LendBudget(Struct, frozen=True, tag=True, gc=False):
    """To one worker, as BudgetLent: what it may spend more of a block's budget."""

    worker: int
    block: str
    amount: int
    lent: int = 0


class KeepBudget(Struct, frozen=True, tag=True, gc=False):
    """Make durable, before anything that follows for this block, how much of its budget may have
    been spent: after a kill that much counts as spent (BudgetsKept)."""

    block: str
    limit_micro_usd: int
    committed: int


Command = (
    Forward
    | Reject
    | Quoted
    | QuoteClosed
    | Hold
    | Abort
    | Record
    | Solve
    | Publish
    | Report
    | Notice
    | Set
    | Advise
    | Diagnosed
    | TellBudget
    | LendBudget
    | KeepBudget
)
