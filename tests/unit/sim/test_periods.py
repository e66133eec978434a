"""Do readings, plans, peers' loads and boards arrive when and where they should?"""

import pytest

from flyball.governor.events import BoardReceived, Event, Observed, PeersSeen, Sampled, Solved, Tick
from flyball.model.signals import PeerLoad
from flyball.sim.periods import summed
from support.worlds import scenario, world


def told(**changes: object) -> list[tuple[int, Event]]:
    seen: list[tuple[int, Event]] = []
    made = world(scenario(**changes), tee=lambda g, event, out: seen.append((g, event)))
    made.run("", None)
    return seen


def test_each_endpoint_is_read_in_its_turn_and_late() -> None:
    seen = [e for _, e in told(telemetry={"interval_ms": 500, "delay_ms": 10}, duration_s=10)
            if isinstance(e, Sampled)]  # fmt: skip
    first = [e.at for e in seen if e.endpoint == 0]
    assert first[0] == pytest.approx(0.25 + 0.04 + 0.01)
    assert first[1] - first[0] == pytest.approx(0.5)
    assert all(e.sample is not None and e.sample.kv_tokens_max for e in seen)


def test_lost_readings_are_told_as_such() -> None:
    seen = [e for _, e in told(telemetry={"loss_ratio": 0.3}) if isinstance(e, Sampled)]
    lost = sum(e.sample is None for e in seen) / len(seen)
    assert lost == pytest.approx(0.3, abs=0.06)
    assert all(e.error for e in seen if e.sample is None)


def test_no_interval_means_no_readings() -> None:
    assert not [e for _, e in told(telemetry={"interval_ms": 0}) if isinstance(e, Sampled)]


def test_an_outage_silences_all_readings_for_its_time() -> None:
    trouble = [{"kind": "telemetry-outage", "at_s": 5, "for_s": 10}]
    seen = [e for _, e in told(triggers=trouble) if isinstance(e, Sampled)]
    blind = [e.at for e in seen if e.sample is None]
    assert min(blind) >= 5.0 and max(blind) <= 15.1
    assert len(blind) == pytest.approx(200, abs=4)


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
