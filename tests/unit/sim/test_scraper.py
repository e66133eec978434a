"""Is each engine read in its turn, and does each reading arrive when and where it should?"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.governor.events import Event, Sampled
from flyball.sim.scraper import Scraper
from support.worlds import scenario, world


def told(**changes: object) -> list[tuple[int, Event]]:
    seen: list[tuple[int, Event]] = []
    made = world(scenario(**changes), tee=lambda g, event, out: seen.append((g, event)))
    made.run("", None)
    return seen


def test_each_endpoint_is_read_in_its_turn_and_late() -> None:
    seen = [e for _, e in told(telemetry={"interval_ms": 500, "delay_ms": 10}, duration_s=10)
            if isinstance(e, Sampled)]  # fmt: skip
    first = [e.at for e in seen if e.endpoint == 0]
    assert first[0] == pytest.approx(0.25 + 0.04 + 0.01)
    assert first[1] - first[0] == pytest.approx(0.5)
    assert all(e.sample is not None and e.sample.kv_tokens_max for e in seen)


def test_lost_readings_are_told_as_such() -> None:
    seen = [e for _, e in told(telemetry={"loss_ratio": 0.3}) if isinstance(e, Sampled)]
    lost = sum(e.sample is None for e in seen) / len(seen)
    assert lost == pytest.approx(0.3, abs=0.06)
    assert all(e.error for e in seen if e.sample is None)


def test_no_interval_means_no_readings() -> None:
    assert not [e for _, e in told(telemetry={"interval_ms": 0}) if isinstance(e, Sampled)]


def test_an_outage_silences_all_readings_for_its_time() -> None:
    trouble = [{"kind": "telemetry-outage", "at_s": 5, "for_s": 10}]
    seen = [e for _, e in told(triggers=trouble) if isinstance(e, Sampled)]
    blind = [e.at for e in seen if e.sample is None]
    assert min(blind) >= 5.0 and max(blind) <= 15.1
    assert len(blind) == pytest.approx(200, abs=4)


@settings(max_examples=20, deadline=None)
@given(
    interval_ms=st.sampled_from([50.0, 130.0, 1000.0]),
    delay_ms=st.sampled_from([0.0, 2.0, 1500.0]),
    jitter=st.sampled_from([0.0, 0.3]),
)
def test_readings_out_of_the_heap_are_told_as_if_they_were_in_it(
    interval_ms: float, delay_ms: float, jitter: float
) -> None:
    """The oracle: each reading, and each arrival, as an entry of its own in the clock's heap."""
    changes = {
        "telemetry": {"interval_ms": interval_ms, "delay_ms": delay_ms, "loss_ratio": 0.1},
        "jitter_ratio": jitter,
        "duration_s": 4,
        "drain_s": 4,
    }
    outside = told(**changes)
    begin = Scraper.start
    try:
        Scraper.start = start_in_the_heap  # type: ignore[method-assign]
        inside = told(**changes)
    finally:
        Scraper.start = begin  # type: ignore[method-assign]
    assert outside == inside
    assert len([e for _, e in outside if isinstance(e, Sampled)]) > 4


def start_in_the_heap(self: Scraper, interval_s: float) -> None:
    """What `start` did before readings had an order of their own."""
    clock, step_s = self._clock, interval_s / len(self._replicas)

    def read(replica: object) -> None:
        if replica.life not in ("off", "starting"):  # type: ignore[attr-defined]
            self._read(replica)  # type: ignore[arg-type]
            at, _, index, sample = self._under_way.pop()
            clock.at(at, lambda _: self._tell(index, sample))

    for replica in self._replicas:
        first = (replica.index + 1) * step_s
        clock.every(interval_s, lambda one=replica: read(one), first)
