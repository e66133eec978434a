"""Does each part of Flyball's warning speak where it should, beforehand, and is it else silent?"""

import numpy as np
import pytest

from flyball.diagnosis.signals import Signals
from flyball.diagnosis.topology.graph import Effect, LoopGraph, Member, Reading
from flyball.diagnosis.topology.preflight import Change
from flyball.sim.incidents import ours
from flyball.sim.incidents.ours import Announced
from flyball.sim.incidents.plant import COLUMNS, Plant
from flyball.sim.incidents.plant_laws import Laws
from flyball.sim.incidents.pool import Pool, Settings

SEED = 83
GRAPH = LoopGraph(
    members=(
        Member(
            name="router",
            actuator="fleet.share",
            reads=(Reading(signal="fast.latency_s", sign=-1, gain=0.015),),
            period_s=5.0,
        ),
    ),
    effects=(Effect(actuator="pool.replicas", signal="pool.use", gain=-1.0),),
)


def pool(hours: float = 3.0, **settings: object) -> Signals:
    made = Pool(Settings(**settings), SEED)  # type: ignore[arg-type]
    made.run(hours * 3600.0)
    return made.table()


def kinds(signals: Signals, graph: LoopGraph = GRAPH, **more: object) -> list[str]:
    return [one.kind for one in ours.told(signals, graph, **more)]  # type: ignore[arg-type]


def test_a_sound_pool_is_left_in_peace() -> None:
    assert kinds(pool()) == []


def test_stubborn_clients_are_told_before_any_trigger() -> None:
    (told,) = ours.told(pool(persistence=0.95, replicas=46.0, retry_budget=9.0), GRAPH)
    assert (told.kind, told.loops) == ("metastable", ("retry",))
    assert told.at == pytest.approx(ours.WINDOW_S + ours.EVERY_S + 10.0)


def test_the_cost_gain_is_told_where_cuts_come_back() -> None:
    table = pool(3.0, budget=32.0, persistence=0.85, retry_budget=9.0, replicas=60.0)
    assert "cost gain" in kinds(table, parts=("cost gain",))
    calm = pool(3.0, budget=39.0, persistence=0.3, replicas=60.0)
    assert kinds(calm, parts=("cost gain",)) == []


def test_a_conflict_that_a_change_brings_is_told_the_moment_before() -> None:
    first = Member(name="one", actuator="pool.replicas", period_s=30.0)
    second = Member(name="two", actuator="pool.replicas", period_s=60.0)
    coming = Announced(at=1800.0, change=Change(add=(second,)))
    told = ours.told(pool(1.0), LoopGraph(members=(first,)), (coming,))
    assert [(one.at, one.kind, set(one.loops)) for one in told] == [
        (1800.0, "direct", {"one", "two"})
    ]


@pytest.mark.parametrize(("gain", "is_told"), [(0.02, False), (0.2, True)])
def test_a_new_gain_is_tried_in_the_twin_first(gain: float, is_told: bool) -> None:
    plant = Plant(Laws(), 1, SEED)
    plant.run(1800)
    values = plant.run(8400)[:, :, 0]
    table = Signals(names=COLUMNS, step_s=10.0, values=values, begin_s=10.0)
    reads = (Reading(signal="fast.latency_s", sign=-1, gain=gain),)
    coming = Announced(at=8000.0, change=Change(loops={"router": {"reads": reads}}))
    told = ours.told(table, GRAPH, (coming,), ("margins",))
    assert [(one.at, one.kind, one.loops) for one in told] == (
        [(8000.0, "gain margin", ("router",))] if is_told else []
    )


def test_a_table_without_known_signals_is_silent() -> None:
    table = Signals(names=("x",), step_s=10.0, values=np.zeros((900, 1)))
    assert kinds(table) == []


def test_the_twin_is_silent_until_the_dither_has_checked_it() -> None:
    plant = Plant(Laws(), 1, SEED)
    plant.settings.router_gain = 0.05
    plant.run(1800)
    table = Signals(names=COLUMNS, step_s=10.0, values=plant.run(8400)[:, :, 0], begin_s=10.0)
    told = ours.told(table, GRAPH, parts=("margins",))
    assert ("gain margin", "router") in {(one.kind, one.loops[0]) for one in told}
    assert min(one.at for one in told if one.kind == "gain margin") >= 6_800.0
