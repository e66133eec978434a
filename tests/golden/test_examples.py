"""Is each example a file that may come into force, and does it still mean what it meant?"""

from pathlib import Path

import pytest

from flyball.serve.config import load

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: file.name)
def test_an_example_loads_without_a_warning(file: Path) -> None:
    assert load(file, {}).warnings == ()


def test_the_fleet_example_means_what_it_meant() -> None:
    found = load(EXAMPLES / "fleet.yaml", {})
    fleet, policy = found.fleet, found.policy
    assert [(s.name, s.jurisdiction, s.tier, s.rtt_s) for s in fleet.sites] == [
        ("oslo-edge", "NO", "edge", 0.002),
        ("frankfurt", "EU", "regional", 0.018),
        ("virginia", "US", "central", 0.095),
    ]
    assert [(e.name, e.url, e.metrics_url) for e in fleet.endpoints] == [
        ("edge-l4-0", "http://127.0.0.1:8101", "http://127.0.0.1:8101/metrics"),
        ("regional-l40s-0", "http://127.0.0.1:8111", "http://127.0.0.1:8111/metrics"),
        ("regional-spare", "http://127.0.0.1:8112", ""),
        ("central-h100-0", "http://127.0.0.1:8121", "http://127.0.0.1:8121/metrics"),
    ]
    assert fleet.pool("regional-l40s").profile.limits.kv_tokens_max == 180_000
    assert [(c.name, c.promise.ttft_s, c.jurisdictions) for c in policy.classes] == [
        ("interactive", 0.6, ("EU", "NO", "US")),
        ("control", 0.15, ("NO",)),
        ("batch", 0.0, ()),
    ]
    assert [(p.name, p.classes, p.default_class) for p in policy.principals] == [
        ("robots", ("control",), ""),
        ("analysts", ("interactive", "batch"), "batch"),
    ]


def test_the_example_s_reference_is_filled_from_the_environment() -> None:
    found = load(EXAMPLES / "fleet.yaml", {"CENTRAL_URL": "https://central.example:8443"})
    assert found.fleet.endpoints[3].url == "https://central.example:8443"
