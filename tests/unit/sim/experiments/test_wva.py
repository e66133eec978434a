"""Are the published loads offered as the guide has them, and scaled by whom the run says?"""

import pytest

from flyball.sim.build import build
from flyball.sim.experiments.wva import REPLICAS_MAX, RUNS, Published, rows, scenario


@pytest.mark.parametrize("one", RUNS, ids=lambda one: one.title)
def test_the_load_is_poisson_of_the_published_rates(one: Published) -> None:
    made = list(rows(one, 1))
    part_s = one.duration_s / len(one.rates)
    assert [row.at_s for row in made] == sorted(row.at_s for row in made)
    assert {(row.input_tokens, row.output_tokens) for row in made} == {
        (one.input_tokens, one.output_tokens)
    }
    for number, rate in enumerate(one.rates):
        count = sum(number * part_s <= row.at_s < (number + 1) * part_s for row in made)
        expected = rate * part_s
        assert abs(count - expected) < 5.0 * expected**0.5
    assert made == list(rows(one, 1)) != list(rows(one, 2))


@pytest.mark.parametrize("rule", ["wva_v1", "governor"])
def test_each_run_starts_with_one_of_ten(rule: str) -> None:
    shape = scenario(RUNS[0], rule, 1, 0.2)
    fleet, policy = build(shape)
    assert len(fleet.endpoints) == REPLICAS_MAX
    assert shape.fleet.pools["pool"].replicas == 1
    assert shape.autoscalers["pool"].rule == rule
    assert (policy.classes[0].value_usd, shape.core == "governor") == (0.2, rule == "governor")
    assert {loop.name for loop in policy.loops} == (
        {"autoscaling"} if rule == "governor" else set()
    )
