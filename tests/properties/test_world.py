"""Does any small world, whatever happens in it, keep its invariants and repeat itself?"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flyball.sim.cores import core_names
from support.worlds import ran

TARGETS = ["", "h100-0", "l40s-0", "near", "far"]
TROUBLES = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            ["spike", "replica-loss", "slow", "telemetry-outage", "partition", "early-close"]
        ),
        "at_s": st.floats(0.0, 8.0),
        "for_s": st.floats(0.1, 6.0),
        "target": st.sampled_from(TARGETS),
        "factor": st.floats(0.2, 4.0),
    }
)
WORLDS: Any = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1000),
        "core": st.sampled_from(core_names()),
        "duration_s": st.just(8),
        "drain_s": st.sampled_from([0, 5, 120]),
        "workload__generate": st.fixed_dictionaries(
            {
                "rate": st.floats(1.0, 25.0),
                "mix": st.sampled_from([{"chat": 1}, {"agent": 1}, {"dialog": 1, "edge": 1}]),
            }
        ),
        "gateways": st.fixed_dictionaries({"count": st.integers(1, 3)}),
        "jitter_ratio": st.sampled_from([0.0, 0.3]),
        "clients": st.fixed_dictionaries(
            {"rtt_ms": st.sampled_from([0, 25]), "patience_s": st.sampled_from([{}, {"": 1.5}])}
        ),
        "triggers": st.lists(TROUBLES, max_size=3),
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(WORLDS)
def test_nothing_is_lost_and_everything_repeats(changes: dict[str, Any]) -> None:
    first = ran(**changes).report
    assert first.breaches == ()
    assert sum(first.total.ends.values()) == first.total.calls
    assert first.tries >= first.total.calls
    assert all(pool.joules >= 0 and 0 <= pool.busy_ratio <= 1.0001 for pool in first.pools)
    assert ran(**changes).report == first
