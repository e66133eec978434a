"""Do budgets, links and the risk of a fleet file reach the plan, and are wrong ones told?"""

from math import inf

import pytest

from flyball.governor.policy import Budget
from support.configs import config, faults

START = "version: v1"
BUDGET = "budgets: {team: {usd_per_hour: 3.6, classes: [talk]}}"


def test_a_budget_reaches_the_policy() -> None:
    found = config((START, f"{START}\n{BUDGET}")).policy
    assert found.budgets == (Budget(name="team", usd_per_hour=3.6, classes=("talk",)),)
    assert config().policy.budgets == ()


def test_the_risk_reaches_the_policy() -> None:
    found = config((START, f"{START}\npricing: {{demand_risk: 0.01}}"))
    assert found.policy.pricing.demand_risk == 0.01


def test_a_link_is_told_as_it_is_sold() -> None:
    plain = config().fleet.sites[0]
    assert (plain.link_bytes_per_s_max, plain.link_usd_per_byte) == (inf, 0.0)
    told = "rtt_ms: 95, link_gbps: 8, link_usd_per_gb: 0.09"
    site = next(s for s in config(("rtt_ms: 95", told)).fleet.sites if s.link_usd_per_byte)
    assert site.link_bytes_per_s_max == 1e9
    assert site.link_usd_per_byte == pytest.approx(9e-11)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("budgets: {team: {usd_per_hour: 1, classes: [tolk]}}", "no class named 'tolk'"),
        ("budgets: {team: {usd_per_hour: -1, classes: [talk]}}", "usd_per_hour"),
        ("budgets: {team: {usd_per_hour: 1, classes: []}}", "classes"),
        (
            "budgets: {a: {usd_per_hour: 1, classes: [talk]},"
            " b: {usd_per_hour: 1, classes: [talk]}}",
            "is in budget 'a' too",
        ),
        ("pricing: {demand_risk: 0.7}", "demand_risk"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    assert told in "\n".join(faults((START, f"{START}\n{text}")))
