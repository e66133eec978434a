"""Do the unlike queue laws agree at rest, and differ where they are said to?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.sim.incidents.plant_laws import Laws, QueueLaw, busy, latency, quality_fails, scales

LAWS: tuple[QueueLaw, ...] = ("batching", "saturating", "slots")


@pytest.mark.parametrize("law", LAWS)
def test_every_law_has_the_same_queue_and_use_at_rest(law: QueueLaw) -> None:
    c = scales(Laws(queue=law))
    held = np.array([[60 * 0.72 / 0.28], [30 * 0.63 / 0.37]])
    assert busy(law, held, c)[:, 0] == pytest.approx([0.72, 0.63])


@given(st.floats(1.0, 2000.0), st.sampled_from(LAWS))
def test_use_grows_with_the_queue_and_never_reaches_all(held: float, law: QueueLaw) -> None:
    c = scales(Laws(queue=law))
    less, more = (busy(law, np.array([[x], [x]]), c) for x in (held, held * 1.1))
    assert (less <= more).all() and (more <= 1.0).all()


def test_latency_is_littles_and_the_first_laws_is_linear_in_the_queue() -> None:
    laws = Laws()
    c, rate = scales(laws), np.array([[43.0], [16.0]])
    held = np.array([[154.0], [51.0]])
    assert latency("batching", held, c, rate) == pytest.approx((held + c) / rate)


def test_slopes_differ_where_means_agree() -> None:
    slopes = []
    for law in LAWS:
        c, rate = scales(Laws(queue=law)), np.array([[43.0], [16.0]])
        held = np.array([[154.3], [51.1]])
        up, down = (latency(law, held * f, c, rate)[0, 0] for f in (1.01, 0.99))
        slopes.append(up - down)
    assert max(slopes) > 1.2 * min(slopes)


def test_failures_rise_as_context_is_cut() -> None:
    found = quality_fails(Laws(), np.array([0.854, 0.35, 0.05]))
    assert found == pytest.approx([0.0305, 0.405, 0.77], abs=0.005)
