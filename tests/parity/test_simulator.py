"""Do events recorded in the simulator give a fresh governor's commands, byte by byte?"""

import pytest

from flyball.governor.governor import Governor
from flyball.sim.clock import Streams
from flyball.sim.cores import cores
from support.recorded import Recorder, kinds, replayed
from support.worlds import scenario, world

TROUBLES = [
    {"kind": "spike", "at_s": 5, "for_s": 5, "factor": 3},
    {"kind": "replica-loss", "at_s": 10, "for_s": 5, "target": "h100-0"},
    {"kind": "telemetry-outage", "at_s": 14, "for_s": 5},
    {"kind": "early-close", "at_s": 20, "for_s": 5, "factor": 0.3},
]
RICH = {
    "workload__generate": {"rate": 14, "mix": {"chat": 0.5, "dialog": 0.3, "agent": 0.2}},
    "fleet__classes": {
        "chat": {"value_usd": 0.01, "ttft_ms": 700, "tpot_ms": 40, "deadline_s": 8},
        "dialog": {"value_usd": 0.001, "ttft_ms": 900, "sheddable": True, "queue_ms_max": 2000},
        "agent": {"value_usd": 0.03, "ttft_ms": 3000},
    },
    "clients": {"rtt_ms": 10, "patience_s": {"chat": 3}},
    "jitter_ratio": 0.1,
    "policy": {"pricing": {"explore_ratio": 0.05, "solve_interval_s": 3}},
    "triggers": TROUBLES,
}


@pytest.mark.parametrize("count", [1, 3])
def test_a_fresh_governor_says_the_same(count: int) -> None:
    one = scenario(gateways={"count": count, "skew_ms": [0, 15, -15]}, **RICH)
    made = world(one)
    recorders = [Recorder(core) for core in made.cores]
    made.driver._handles = [recorder.handle for recorder in recorders]
    made.run("", None)
    fresh = cores("governor", made.fleet, made.policy, count, Streams(one.seed))
    assert len(fresh) == len(recorders)
    heard: set[str] = set()
    for recorder, core in zip(recorders, fresh, strict=True):
        assert isinstance(core, Governor)
        heard |= kinds(recorder.log)
        assert replayed(core, recorder.log) == [said for _, said in recorder.log]
    wanted = {
        "RequestArrived", "FirstByte", "Served", "AttemptFailed", "ClientGone", "DeadlinePassed",
        "Sampled", "Tick", "Solved",
    }  # fmt: skip
    assert heard >= wanted | ({"PeersSeen", "Observed", "BoardReceived"} if count > 1 else set())


def test_a_governor_told_something_else_says_something_else() -> None:
    made = world(scenario(**RICH))
    recorder = Recorder(made.cores[0])
    made.driver._handles = [recorder.handle]
    made.run("", None)
    fresh = cores("governor", made.fleet, made.policy, 1, Streams(1))[0]
    without = recorder.log[1:]  # all but the first arrival
    assert replayed(fresh, without) != [said for _, said in without]
