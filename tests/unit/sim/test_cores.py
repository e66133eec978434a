"""Does every name make the cores it should, all of the same shape?"""

import pytest

from flyball.governor.events import RequestArrived
from flyball.governor.governor import Governor
from flyball.sim.clock import Streams
from flyball.sim.cores import core_names, cores
from flyball.sim.rivals import RivalCore
from flyball.sim.scenario import LoopsShape
from support.fleets import fleet, head, policy

STREAMS = Streams(1)


@pytest.mark.parametrize("name", core_names())
def test_every_core_answers_a_request(name: str) -> None:
    core = cores(name, fleet(), policy(), 1, STREAMS)[0]
    out = core.handle(RequestArrived(0.0, "r1", head(), 0.5))
    # Flow control holds what comes before the first reading.
    wanted = "Hold" if name == "epp_flow" else "Forward"
    assert [type(one).__name__ for one in out][-1] == wanted


def test_several_governors_are_workers_of_one_control() -> None:
    made = cores("governor", fleet(), policy(), 3, STREAMS)
    assert all(isinstance(one, Governor) for one in made)
    roles = [one.state.policy.role for one in made if isinstance(one, Governor)]
    assert roles == ["worker", "worker", "worker", "control"]
    assert len(cores("least_request", fleet(), policy(), 3, STREAMS)) == 3


def test_rival_loops_stand_beside_the_router() -> None:
    loops = LoopsShape(
        retry="budgeted",
        truncation="threshold_truncation",
        tuned={"threshold_truncation": {"keep_ratio": 0.3}},
    )
    core = cores("least_request", fleet(), policy(), 1, STREAMS, {"choice_count": 3}, loops)[0]
    assert isinstance(core, RivalCore)
    assert core.retry is not None and core.truncation is not None
    assert core.truncation.constants["keep_ratio"] == 0.3
    assert core.router.constants["choice_count"] == 3


def test_a_constant_that_is_not_known_is_told() -> None:
    with pytest.raises(ValueError, match="has no constant 'speed'"):
        cores("least_request", fleet(), policy(), 1, STREAMS, {"speed": 3})
