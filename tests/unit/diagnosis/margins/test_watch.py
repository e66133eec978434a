"""Does the watch tell the right loop before harm, stay quiet otherwise, and say what it needs?"""

from functools import cache

import numpy as np
import pytest
from msgspec import structs

from flyball.diagnosis.finding import Finding
from flyball.diagnosis.margins import watch
from flyball.diagnosis.signals import Signals
from flyball.sim.incidents import plant_runs
from flyball.sim.incidents.plant import COLUMNS, Settings
from flyball.sim.incidents.plant_laws import Laws

SEED = 53


HOURS = 2.5
# (setting, its end): squeezed ramps, held at their end. The last one does not move.
COURSES = (
    ("S1", 33.5),
    ("S2", 0.04),
    ("S3", 1.1),
    ("S4", 45.5),
    ("S2", 0.01),
)


def beside(settings: Settings, at: float) -> None:
    """All courses side by side, a copy each: a copy more costs little."""
    own = [Settings() for _ in COURSES]
    for one, (name, to) in zip(own, COURSES, strict=True):
        ramp = structs.replace(plant_runs.RAMPS[name], to=to)
        plant_runs.ramp_course(ramp)(one, at * plant_runs.RAMP_S / (HOURS * 3600.0))
    for field in settings.__struct_fields__:
        setattr(settings, field, np.array([getattr(one, field) for one in own]))


@cache
def runs() -> dict[tuple[str, float], Signals]:
    print(f"seed {SEED}")
    done = plant_runs.run(beside, Laws(), len(COURSES), SEED, int(HOURS * 3600))
    for one in done:
        assert one.harm_s is None or one.harm_s > 0.5 * HOURS * 3600
    return {course: one.signals for course, one in zip(COURSES, done, strict=True)}


def short(setting: str, to: float) -> Signals:
    return runs()[setting, to]


@cache
def told(setting: str, to: float) -> tuple[Finding, ...]:
    return watch.over(short(setting, to))


@pytest.mark.parametrize(
    ("ramp", "to", "code", "loop"),
    [
        ("S1", 33.5, "FB-502", "cost"),
        ("S2", 0.04, "FB-501", "router"),
        ("S3", 1.1, "FB-501", "autoscaler"),
        ("S4", 45.5, "FB-502", "cost"),
    ],
)
def test_a_ramp_is_told_with_its_loop_and_its_lead(
    ramp: str, to: float, code: str, loop: str
) -> None:
    found = told(ramp, to)
    assert found, "nothing was told"
    first = found[0]
    assert (first.code, first.loops[0]) == (code, loop)
    assert first.area == "margin" and 0.0 < first.confidence <= 1.0
    margin = first.evidence[0]
    assert margin.low is not None and margin.limit is not None and margin.low <= margin.limit * 1.05
    assert first.lead_s is not None and 0.0 < first.lead_s < 86_400.0
    assert first.next_step


def test_a_quiet_fleet_is_left_in_peace() -> None:
    assert told("S2", 0.01) == ()


def test_a_finding_is_told_once_while_it_stands() -> None:
    found = told("S2", 0.04)
    assert [one.code for one in found].count("FB-501") == 1


def test_a_twin_that_the_loops_contradict_is_not_believed() -> None:
    """The registry says that the router is four times as strong as it is."""
    signals = short("S2", 0.01)
    values = signals.values.copy()
    values[:, signals.names.index("loop.router.gain")] *= 4.0
    one = watch.MarginWatch(signals.names, signals.step_s)
    found = [
        finding
        for at, row in zip(signals.times_s, values, strict=True)
        for finding in one.feed(float(at), row)
    ]
    assert found[-1].code == "FB-505" and found[-1].loops == ("router",)
    assert not one.looks[-1].is_believed
    assert one.looks[-1].unsafe["router_gain"] > 0.1, "its margins would have been an alarm"


def test_memory_is_bounded_and_too_little_says_nothing() -> None:
    signals = short("S2", 0.01)
    one = watch.MarginWatch(signals.names, signals.step_s)
    for at, row in zip(signals.times_s[:170], signals.values[:170], strict=True):
        assert one.feed(float(at), row) == ()
    assert not one.looks
    assert one.rows.maxlen == 720


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match=r"slow\.queue"):
        watch.MarginWatch(("fast.queue",), 10.0)


def test_without_probes_the_twin_alone_judges() -> None:
    whole = short("S4", 45.5)
    signals = whole.between(whole.end_s - 5400.0, whole.end_s)
    kept = [k for k, name in enumerate(COLUMNS) if not name.startswith(("arm.", "probe."))]
    bare = structs.replace(
        signals, names=tuple(COLUMNS[k] for k in kept), values=signals.values[:, kept]
    )
    found = watch.over(bare)
    assert {one.code for one in found} <= {"FB-501", "FB-502", "FB-508"}
    assert np.isfinite([one.at for one in found]).all()


def test_every_kind_has_a_code_of_its_own() -> None:
    codes = [code for code, _, _ in watch.KINDS.values()]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith("FB-5") for code in codes)
