"""Is each missing signal told with what it would unlock?"""

from flyball.diagnosis.margins.fluid_fit import NEEDED
from flyball.dialects.telemetry import needs


def test_every_signal_of_the_margins_has_its_line() -> None:
    told = needs.of_signals(())
    assert [one.signal for one in told] == list(NEEDED)
    assert all(one.unlocks.startswith("no margin") and one.source for one in told)
    assert needs.of_signals(NEEDED) == []


def test_a_loop_is_named() -> None:
    (one,) = needs.of_signals([name for name in NEEDED if name != "loop.power.setpoint"])
    assert "loop power" in one.unlocks and "DCGM" in one.source


def test_facts_that_no_call_told() -> None:
    told = needs.of_facts({"pool": 3, "attempt": 0}, 3)
    assert "calls: attempt" in {one.signal for one in told}
    assert "calls: pool" not in {one.signal for one in told}
    assert needs.of_facts({}, 0) == []
