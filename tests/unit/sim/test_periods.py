"""Do plans, peers' loads and boards arrive when and where they should?"""

import pytest

from flyball.governor.events import BoardReceived, Event, Observed, PeersSeen, Solved, Tick
from flyball.model.signals import PeerLoad
from flyball.sim.periods import summed
from support.worlds import scenario, world


def told(**changes: object) -> list[tuple[int, Event]]:
    seen: list[tuple[int, Event]] = []
    made = world(scenario(**changes), tee=lambda g, event, out: seen.append((g, event)))
    made.run("", None)
    return seen


def test_a_plan_is_answered_after_the_solver_s_delay() -> None:
    seen: list[tuple[float, str]] = []

    def tee(gateway: int, event: Event, out: list[object]) -> None:
        seen.extend((event.at, "Solve") for one in out if type(one).__name__ == "Solve")
        if isinstance(event, Solved):
            assert event.solution is not None and event.solution.solve_s == 0.25
            seen.append((event.at, "Solved"))

    world(scenario(solver_delay_ms=250), tee=tee).run("", None)
    asked = [at for at, kind in seen if kind == "Solve"]
    answered = [at for at, kind in seen if kind == "Solved"]
    assert len(answered) >= 5
    assert answered == pytest.approx([at + 0.25 for at in asked[: len(answered)]])


def test_several_gateways_share_boards_outcomes_and_loads() -> None:
    seen = told(gateways={"count": 3, "bus_delay_ms": 7}, workload__generate__rate=12)
    boards = [(g, e) for g, e in seen if isinstance(e, BoardReceived)]
    assert {g for g, _ in boards} == {0, 1, 2}
    assert {g for g, e in seen if isinstance(e, Observed)} == {3}
    assert {g for g, e in seen if isinstance(e, Solved)} == {3}
    assert {g for g, e in seen if isinstance(e, Tick)} == {0, 1, 2, 3}
    peers = [e for g, e in seen if isinstance(e, PeersSeen) and g == 0]
    assert max(sum(load.running for load in e.loads) for e in peers) > 0


def test_loads_of_several_gateways_add_up() -> None:
    def load(endpoint: int, n: int) -> PeerLoad:
        return PeerLoad(
            endpoint=endpoint, running=n, pending=1, pending_prefill_tokens=10.0, kv_tokens=5.0
        )

    found = summed([[load(2, 1)], [load(0, 3), load(2, 4)]])
    assert [(one.endpoint, one.running, one.pending, one.kv_tokens) for one in found] == [
        (0, 3, 1, 5.0),
        (2, 5, 2, 10.0),
    ]
