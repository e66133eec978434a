"""Do a scenario's policies hold in its world, from their time on, at every gateway?"""

import pytest

from flyball.model.decision import Intent, Outcome
from flyball.sim.build import ScenarioFaults, build
from support.worlds import scenario, world

ALL = '@id("all") permit (principal, action, resource);\n'
HOME = ALL + (
    '@id("residency") forbid (principal, action, resource)\n'
    'when { context.dataClass == "personal" && !(resource in context.dataHome) };\n'
)
CLASSES = {"chat": {"value_usd": 0.01, "data_class": "personal", "data_home": "EU"}}


def placed(**changes: object) -> tuple[list[tuple[float, str]], list[Outcome]]:
    """(time, pool) of each intent, and the outcomes, in a world with these rules."""
    one = scenario(fleet__classes=CLASSES, **changes)
    made = world(one)
    intents: list[tuple[float, str]] = []
    outcomes: list[Outcome] = []
    watch = made.driver.sinks.record

    def record(gateway: int, record: object) -> None:
        watch(gateway, record)  # type: ignore[arg-type]
        if isinstance(record, Intent):
            intents.append((record.at, record.pool))
        elif isinstance(record, Outcome):
            outcomes.append(record)

    made.driver.sinks.record = record
    made.run("test", None)
    assert not made.checks.broken, made.checks.told
    return intents, outcomes


@pytest.mark.parametrize("gateways", [1, 3])
def test_policies_hold_from_their_time_on_at_every_gateway(gateways: int) -> None:
    rules = [{"cedar": ALL}, {"cedar": HOME, "at_s": 15.0}]
    intents, outcomes = placed(policy__rules=rules, gateways__count=gateways)
    before = {pool for at, pool in intents if at < 15.0}
    after = {pool for at, pool in intents if at >= 15.0}
    assert before == {"h100", "l40s"} or before == {"h100"}
    assert after == {"l40s"}
    assert {o.code for o in outcomes if o.outcome == "cancelled"} <= {"policy_denied"}


def test_a_bad_policy_is_told_before_the_run() -> None:
    with pytest.raises(ScenarioFaults, match=r"policy\.rules\.0\.cedar"):
        build(scenario(policy__rules=[{"cedar": "permit (nonsense"}]))
