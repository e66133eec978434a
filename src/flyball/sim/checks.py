"""Does the world keep its invariants while it runs?

One intent and one outcome per attempt; a request runs only where its class may; queues stay within
their bounds; calls and tokens are conserved. The core's own records are the witness.
"""

from collections.abc import Callable, Sequence

from flyball.governor.policy import Policy
from flyball.model.decision import Intent, Outcome, Record
from flyball.model.fleet import Fleet
from flyball.sim.replica import Replica
from flyball.units import Tokens

TOLD_MAX = 20


class Checks:
    """Watches the records of all cores. `broken` counts, `told` keeps the first few."""

    def __init__(self, fleet: Fleet, policy: Policy, is_known: Callable[[str], bool]) -> None:
        site_of = {pool.name: fleet.site_of(pool) for pool in fleet.pools}
        self._jurisdiction = {
            endpoint.name: site_of[endpoint.pool].jurisdiction for endpoint in fleet.endpoints
        }
        self._allowed = {klass.name: frozenset(klass.jurisdictions) for klass in policy.classes}
        self._is_known = is_known
        self._in_flight_max = policy.resilience.in_flight_max
        self._open: dict[str, int] = {}
        self._copies: set[tuple[str, int]] = set()
        self.intents = 0
        self.outcomes = 0
        self.broken = 0
        self.penalty_usd = 0.0
        self.told: list[str] = []

    def breach(self, text: str) -> None:
        """Note that an invariant does not hold."""
        self.broken += 1
        if len(self.told) < TOLD_MAX:
            self.told.append(text)

    def record(self, gateway: int, record: Record) -> None:
        """A core wrote this down."""
        if isinstance(record, Intent):
            self._intent(record)
        elif isinstance(record, Outcome):
            self._outcome(record)

    def _intent(self, intent: Intent) -> None:
        self.intents += 1
        if intent.rule == "hedge":
            self._copies.add((intent.id, intent.attempt))
        elif intent.id in self._open:
            self.breach(
                f"{intent.id}: a second intent while attempt {self._open[intent.id]} is open"
            )
        if not self._is_known(intent.id):
            self.breach(f"{intent.id}: an intent for a request that is closed")
        if intent.rule != "hedge":
            self._open[intent.id] = intent.attempt
        allowed = self._allowed.get(intent.class_name)
        if allowed and self._jurisdiction[intent.endpoint] not in allowed:
            self.breach(f"{intent.id}: runs at {intent.endpoint}, outside {sorted(allowed)}")

    def _outcome(self, outcome: Outcome) -> None:
        self.outcomes += 1
        self.penalty_usd += outcome.penalty_usd
        if self._copies and (outcome.id, outcome.attempts) in self._copies:
            self._copies.discard((outcome.id, outcome.attempts))
            return
        attempt = self._open.pop(outcome.id, 0)
        if attempt != outcome.attempts and outcome.outcome != "refused":
            self.breach(f"{outcome.id}: outcome of attempt {outcome.attempts}, open was {attempt}")

    def queue(self, in_flight: int, gateways: int) -> None:
        """The gateways hold so many requests now."""
        if in_flight > self._in_flight_max * gateways:
            self.breach(f"{in_flight} requests in flight, at most {self._in_flight_max} allowed")

    def end(self, begun: int, ended: int, open_calls: int, in_flight: int) -> None:
        """Nothing is lost: every call that began has ended or is still open."""
        if begun != ended + open_calls:
            self.breach(f"{begun} calls began, {ended} ended and {open_calls} are open")
        if len(self._open) > in_flight or len(self._copies) > in_flight:
            self.breach(f"{len(self._open)} intents without outcome, {in_flight} in flight")

    def tokens(self, replicas: Sequence[Replica], delivered: Tokens) -> None:
        """What clients were given, engines have made."""
        made = sum(replica.output_tokens for replica in replicas)
        if made < delivered:
            self.breach(f"{delivered} answer tokens delivered, {made} made")
