"""Does a window of signals give back the plant that made it, whatever its queue law?"""

import numpy as np
import pytest
from msgspec import structs

from flyball.diagnosis.margins import fluid, fluid_fit
from flyball.diagnosis.margins.whatif import settle
from flyball.diagnosis.signals import Signals
from flyball.sim.incidents.plant import COLUMNS, Plant
from flyball.sim.incidents.plant_laws import Laws, QueueLaw

SEED = 41


def window(laws: Laws, load: float = 40.0, warm_s: int = 1800) -> Signals:
    print(f"seed {SEED}")
    plant = Plant(laws, 1, SEED)
    plant.settings.load = load
    plant.run(warm_s)
    return Signals(names=COLUMNS, step_s=10.0, values=plant.run(1800)[:, :, 0])


def test_the_plant_is_found_again() -> None:
    found = fluid_fit.fit(window(Laws(fast_c=72.0), load=42.0)).values
    assert found["load"] == pytest.approx(42.0, rel=0.02)
    assert found["fast_c"] == pytest.approx(72.0, rel=0.1)
    assert found["fast_rate"] == pytest.approx(1.0, rel=0.05)
    assert found["persistence"] == pytest.approx(0.8, abs=0.06)
    assert found["fail_base"] == pytest.approx(0.03, abs=0.004)
    assert found["budget"] == pytest.approx(38.0, rel=0.02)


@pytest.mark.parametrize("queue", ["batching", "saturating", "slots"])
def test_the_fitted_twin_has_the_plants_latency_and_slope(queue: QueueLaw) -> None:
    signals = window(Laws(queue=queue))
    fitted = fluid_fit.fit(signals)
    waits, held = signals.column("fast.latency_s"), signals.column("fast.queue")
    each = 0.5 + 0.5 * signals.column("loop.cost.setpoint").mean()
    rate = fitted.values["fast_rate"] * signals.column("fast.replicas").mean() / each
    told = (fitted.values["fast_c"] + held.mean()) / rate
    assert told == pytest.approx(waits.mean(), rel=0.03)
    assert 1.0 / rate == pytest.approx(np.polyfit(held, waits, 1)[0], rel=0.25)


def test_known_controllers_are_read_and_never_estimated() -> None:
    signals = window(Laws())
    found = fluid_fit.fit(signals, {"age": 8.0}).values
    assert found["router_gain"] == pytest.approx(0.01)
    assert found["autoscaler_gain"] == pytest.approx(0.35)
    assert found["age"] == 8.0


def test_without_arms_the_curve_is_what_was_commissioned_moved_little() -> None:
    signals = window(Laws())
    bare = [name for name in signals.names if not name.startswith("arm.")]
    columns = np.stack([signals.column(name) for name in bare], axis=1)
    found = fluid_fit.fit(structs.replace(signals, names=tuple(bare), values=columns))
    assert found.values["fail_mid"] == pytest.approx(0.35, abs=0.03)
    assert found.spreads["fail_mid"] > 0.02


def test_draws_scatter_as_told_and_the_first_is_the_fit() -> None:
    fitted = fluid_fit.fit(window(Laws()))
    thetas = fitted.thetas(400, seed=1)
    row = thetas[fluid.KNOBS.index("fast_c")]
    assert row[0] == fitted.values["fast_c"]
    assert np.log(row[1:]).std() == pytest.approx(fitted.spreads["fast_c"], rel=0.15)
    assert settle(fluid.TWIN, fitted.state, thetas[:, :1])[1].all()


def test_what_is_missing_is_named() -> None:
    short = Signals(names=("fast.queue",), step_s=10.0, values=np.zeros((3, 1)))
    assert "slow.queue" in fluid_fit.missing(short)
    with pytest.raises(KeyError, match="plant"):
        fluid_fit.fit(short)
