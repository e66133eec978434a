"""What was seen since the last period: readings of engines, outcomes, a new configuration?"""

from flyball.governor.commands import Command, Record
from flyball.governor.events import FleetChanged, Observed, Sampled
from flyball.governor.period.correct import spent
from flyball.governor.state import State
from flyball.model.decision import ConfigSet
from flyball.model.signals import Settled


def sampled(state: State, event: Sampled) -> None:
    """Take a reading, or mark that there was none: its last values stay, and age."""
    if event.endpoint >= len(state.view.endpoints):
        return
    endpoint = state.view.endpoints[event.endpoint]
    if event.sample is None:
        endpoint.scrape_error = event.error
        return
    endpoint.take_sample(event.at, event.sample)
    state.view.dirty.add(event.endpoint)


def observed(state: State, event: Observed) -> None:
    """Outcomes that the workers settled (their arrivals are counted here, not there)."""
    for settled in event.settled:
        tally = state.tallies.get(settled.class_name)
        if tally is not None and not settled.is_retry:
            tally.arrive(max(tally.updated_at, settled.at - settled.e2e_s))
    learn(state, event.settled)


def learn(state: State, settled: tuple[Settled, ...]) -> None:
    """Fold sizes into the tallies of their classes; count outcomes for diagnosis."""
    state.watching.take(settled)
    if state.budget_of:
        spent(state, settled)
    for one in settled:
        tally = state.tallies.get(one.class_name)
        if tally is not None and one.outcome == "served":
            tally.learn(one)


def fleet_changed(state: State, event: FleetChanged, out: list[Command]) -> None:
    """A configuration comes into force: flights go on, and are settled at their own endpoints."""
    old = state.view
    state.adopt(event.fleet, event.policy, event.at, old)
    by_name = {endpoint.name: endpoint for endpoint in state.view.endpoints}
    for flight in state.flights.values():
        flight.tried = ()
        if flight.endpoint is not None:
            flight.endpoint = by_name.get(flight.endpoint.name, flight.endpoint)
        rival = flight.rival
        if rival is not None and rival.endpoint is not None:
            rival.endpoint = by_name.get(rival.endpoint.name, rival.endpoint)
        flight.class_index = state.class_index.get(flight.klass.name, 0)
    state.promises.rebase(by_name)
    for endpoint in state.view.endpoints:
        endpoint.running_by_class = _running_by_class(state, endpoint.index)
        state.view.set_blocked(event.at, endpoint.index)
    record = ConfigSet(
        id=state.record_id("config"),
        at=event.at,
        digest=event.digest,
        in_force=True,
        reason="",
    )
    out.append(Record(record))


def _running_by_class(state: State, index: int) -> dict[int, int]:
    counts: dict[int, int] = {}
    for flight in state.flights.values():
        here = flight.endpoint is not None and flight.endpoint.index == index
        if here and flight.first_byte_at:
            counts[flight.class_index] = counts.get(flight.class_index, 0) + 1
    return counts
