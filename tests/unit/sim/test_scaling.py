"""Do replicas come after their start-up time, go only when empty, and stay within their bounds?"""

from typing import Any

import pytest

from flyball.governor.events import EndpointDraining, Event
from flyball.sim.loops import PoolReading
from flyball.sim.run import World
from support.worlds import scenario, world

SCALED = {
    "fleet__pools__h100__replicas": 2,
    "autoscalers": {
        "h100": {"rule": "hpa", "replicas_min": 1, "replicas_max": 4, "start_s": [10, 10]}
    },
    "duration_s": 60,
}


class Wish:
    """An autoscaler that wants what the test says, and remembers what it was shown."""

    period_s = 5.0

    def __init__(self, *wishes: int) -> None:
        self.wishes = list(wishes)
        self.readings: list[PoolReading] = []

    def desired(self, reading: PoolReading) -> int:
        self.readings.append(reading)
        return self.wishes.pop(0) if len(self.wishes) > 1 else self.wishes[0]


def wishing(monkeypatch: pytest.MonkeyPatch, wish: Wish, **changes: Any) -> tuple[World, list[Any]]:
    monkeypatch.setitem(
        __import__("flyball.sim.world", fromlist=["world"]).AUTOSCALERS, "hpa", lambda *_: wish
    )
    seen: list[Any] = []

    def tee(gateway: int, event: Event, out: object) -> None:
        if isinstance(event, EndpointDraining):
            seen.append((event.at, event.endpoint, event.draining))

    return world(scenario(**(SCALED | changes)), tee=tee), seen


def test_more_come_after_their_start_up_time_but_no_more_than_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, seen = wishing(monkeypatch, Wish(9))
    report = made.run("", None).report
    assert seen == [(0.0, 2, True), (0.0, 3, True), (15.0, 2, False), (15.0, 3, False)]
    pool = report.pools[0]
    assert (pool.starts, pool.drains) == (2, 0)
    end_s = made.replicas[0].on_s
    assert pool.replica_hours * 3600 == pytest.approx(2 * end_s + 2 * (end_s - 5.0))


def test_fewer_finish_their_work_first(monkeypatch: pytest.MonkeyPatch) -> None:
    made, seen = wishing(monkeypatch, Wish(0), workload__generate__rate=20)
    report = made.run("", None).report
    assert [one for one in seen if one[0] > 0.0] == [(5.0, 1, True)] or seen[-1][1] == 0
    assert report.pools[0].drains == 1
    assert report.total.ends["failed"] == 0
    lives = sorted(one.life for one in made.replicas if one.pool.name == "h100")
    assert lives == ["off", "off", "off", "ready"]


def test_the_reading_shows_the_last_window(monkeypatch: pytest.MonkeyPatch) -> None:
    wish = Wish(2)
    made, _ = wishing(monkeypatch, wish, workload__generate__rate=20)
    made.run("", None)
    later = wish.readings[5]
    assert (later.pool, later.ready, later.starting, later.draining) == ("h100", 2, 0, 0)
    assert later.request_rate > 0 and 0 < later.busy_ratio <= 1
    assert later.ttft_s_p99 >= later.ttft_s_mean > 0.04
    assert later.prompt_tokens_mean > 100 and later.itl_s_mean > 0.005
    assert [one.endpoint for one in later.replicas] == [0, 1]
    assert all(0.0 <= later.at - one.sampled_at <= 0.2 for one in later.replicas)
