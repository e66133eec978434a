"""Do sections become the right nouns, in the model's units?"""

from math import inf

import pytest

from flyball.dialects.profiles import catalogue
from flyball.serve.config.build import in_seconds
from flyball.serve.config.model import ClassSection, StepCostSection
from support.configs import config, faults


def test_units_follow_the_name() -> None:
    found = in_seconds(ClassSection(ttft_ms=250, queue_ms_max=5, deadline_s=3))
    assert (found["ttft_s"], found["queue_s_max"], found["deadline_s"]) == (0.25, 0.005, 3)
    cost = in_seconds(StepCostSection(base_ms=6, per_seq_us=20, per_kv_token_ns=50))
    assert cost["base_s"] == pytest.approx(6e-3)
    assert cost["per_seq_s"] == pytest.approx(20e-6)
    assert cost["per_kv_token_s"] == pytest.approx(50e-9)


def test_the_fleet_is_built() -> None:
    fleet = config().fleet
    near, far = fleet.sites
    assert (near.jurisdiction, near.rtt_s, near.power_watts_max) == ("NO", 0.002, inf)
    assert far.rtt_s == pytest.approx(0.095)
    assert [e.name for e in fleet.endpoints] == ["small-0", "big-0"]
    assert fleet.endpoints[1].url == "http://127.0.0.1:8102"
    assert fleet.pool("small").profile == catalogue()["l4/llama-3.1-8b"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ('"http://h:1/"', "http://h:1/metrics"),
        ('{url: "http://h:1", metrics_url: none}', ""),
        ('{url: "http://h:1", metrics_url: "http://h:2/m"}', "http://h:2/m"),
    ],
)
def test_metrics_urls(entry: str, expected: str) -> None:
    fleet = config(('"http://127.0.0.1:8101"', entry)).fleet
    assert fleet.endpoints[0].metrics_url == expected


def test_surfaces_are_the_engine_s_unless_stated() -> None:
    assert config(("engine: vllm", "engine: oip")).fleet.pool("small").surfaces == ("oip",)
    stated = config(("engine: vllm", "engine: vllm\n    surfaces: [anthropic]"))
    assert stated.fleet.pool("small").surfaces == ("anthropic",)


def test_a_profile_may_be_overridden_in_part() -> None:
    section = (
        "{base: l4/llama-3.1-8b, seqs_max: 7, full_watts: 5000, request_overhead_ms: 1.5, "
        "decode: {base_ms: 9, per_seq_us: 1, per_kv_token_ns: 2}}"
    )
    found = config(("profile: l4/llama-3.1-8b", f"profile: {section}\n    usd_per_hour: 4"))
    profile, base = found.fleet.pool("small").profile, catalogue()["l4/llama-3.1-8b"]
    assert profile.limits.seqs_max == 7
    assert profile.limits.kv_tokens_max == base.limits.kv_tokens_max
    assert profile.power.full_watts == 5000
    assert profile.decode.base_s == pytest.approx(9e-3)
    assert profile.mixed == base.mixed
    assert profile.request_overhead_s == pytest.approx(1.5e-3)
    assert profile.usd_per_hour == 4
    assert "overridden" in profile.source


def test_odd_profiles_are_told() -> None:
    old = "profile: l4/llama-3.1-8b"
    text = "\n".join(faults((old, "profile: l4/lama-3.1-8b")))
    assert "Did you mean 'l4/llama-3.1-8b'?" in text
    text = "\n".join(faults((old, "profile: {base: l4/llama-3.1-8b, full_watts: 0}")))
    assert "idle_watts is above full_watts" in text


def test_the_policy_is_built() -> None:
    policy = config(
        (
            "version: v1",
            "version: v1\nmode: observe\nlisten: {workers: 3}\nledger: {on_fault: continue}\n"
            "pricing: {tick_ms: 500, view_age_ms_max: 100}\nresilience: {attempts_max: 2}",
        )
    ).policy
    assert [klass.name for klass in policy.classes] == ["talk", "bulk"]
    assert policy.classes[0].promise.ttft_s == pytest.approx(0.9)
    assert (policy.mode, policy.workers, policy.refuse_without_ledger) == ("observe", 3, False)
    assert (policy.tick_s, policy.pricing.view_age_s_max) == (0.5, 0.1)
    assert policy.resilience.attempts_max == 2
    assert policy.principals[0].classes == ("talk",)


def test_a_file_without_classes_has_one() -> None:
    text = "classes:\n  talk: {ttft_ms: 900}\n  bulk: {sheddable: true}\n"
    found = config((text, ""), (", classes: [talk]", ""))
    assert [klass.name for klass in found.policy.classes] == ["default"]
