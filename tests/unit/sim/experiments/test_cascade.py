"""Does a wrong budget strike in time, are late endpoints spared, does the line add up?"""

import msgspec
import numpy as np
import pytest

from flyball.model.faults import Refusal
from flyball.sim.build import build
from flyball.sim.experiments.cascade import (
    CASES,
    DURATION_S,
    SLICE_S,
    Demoting,
    budget_usd_per_hour,
    good_share,
    scenario,
    time_line,
)
from flyball.sim.experiments.contestants import DEFAULTS
from flyball.sim.rivals.least_request import LeastRequest
from flyball.sim.run import run
from support.rivals import ask, setting, views


@pytest.mark.parametrize("case", CASES)
def test_each_case_is_a_scenario_for_everyone(case: str) -> None:
    for one in DEFAULTS.values():
        shape = scenario(one, 0.5, 1, budget_usd_per_hour(0.5), case)
        assert build(shape)[0].endpoints
        assert len(shape.triggers) == 1 + len(CASES[case])
        assert max(one.at_s + one.for_s for one in shape.triggers) < DURATION_S


def test_the_time_line_holds_every_call_once() -> None:
    shape = scenario(DEFAULTS["default_stack"], 0.05, 1, 1e9, "calm")
    fleet, policy = build(shape)
    result = run(shape, fleet, policy)
    line = time_line(result, tuple(one.pool for one in fleet.endpoints))
    assert [one.at_s for one in line] == np.arange(0.0, DURATION_S, SLICE_S).tolist()
    assert sum(one.calls for one in line) == len(result.columns["number"])
    good = sum(one.calls * one.in_time for one in line)
    assert good == pytest.approx(float(result.columns["in_time"].sum()))
    assert good_share(result, 0.0, DURATION_S) == pytest.approx(
        good / len(result.columns["number"])
    )
    assert all(0.0 <= one.slow <= 1.0 and one.cut == 0.0 for one in line)
    assert msgspec.json.encode(line)


def test_an_endpoint_with_late_first_tokens_is_left_out_for_its_cool_down() -> None:
    router, seen, request = Demoting(LeastRequest(setting())), views(), ask()
    limit_s = request.klass.promise.ttft_s
    assert limit_s > 0.0

    def answered(at: float, after_s: float, index: int) -> None:
        request.forwarded_at = at - after_s
        router.first_byte(at, request, seen[index])

    answered(10.0, 2.0 * limit_s, 0)
    assert {id(router.pick(10.0, request, seen[:1]))} == {id(seen[0])}  # one alone says nothing
    answered(10.0, 2.0 * limit_s, 0)
    answered(10.0, 0.5 * limit_s, 1)
    answered(10.0, 2.0 * limit_s, 1)  # half of them: not more than half
    picked = [router.pick(11.0, request, seen) for _ in range(40)]
    assert seen[0] not in picked and seen[1] in picked
    answered(11.0, 2.0 * limit_s, 1)
    assert isinstance(router.pick(12.0, request, seen[:2]), Refusal)
    cooldown_s = router.constants["cooldown_s"]
    assert router.pick(11.0 + cooldown_s, request, seen[:2]) in seen[:2]


def test_what_the_inner_router_learns_goes_through() -> None:
    inner = LeastRequest(setting())
    router = Demoting(inner)
    assert (router.name, router.attempts_max) == (inner.name, inner.attempts_max)
    router.restart(setting(2).fleet)
    assert inner.setting.fleet == setting(2).fleet
