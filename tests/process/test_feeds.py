"""Do three governors keep to one person's word, whatever stands still or dies in between?"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.model.acts import AdminCall, Oversight
from flyball.serve.log.reader import open_log
from support.sites import NAMES, Sites, Stream, three_sites, until

ADMISSION_S = 1.0
STREAMS_S = 2.0


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    with three_sites(tmp_path) as found:
        yield found


def stopped(sites: Sites, name: str) -> bool:
    return sites.ask(name) == (403, "stopped")


def test_a_stop_holds_everywhere_and_cuts_what_runs(sites: Sites, tmp_path: Path) -> None:
    streams = [Stream(sites.ports[name]) for name in NAMES for _ in range(3)]
    until(lambda: all(one.chunks > 3 for one in streams), 20.0, "the streams begin")
    begun = sites.stop("north")
    for name in NAMES:
        assert stopped(sites, name), f"{name} still admits"
    assert all(one.join(STREAMS_S) for one in streams)
    assert max(one.ended_at for one in streams) - begun <= STREAMS_S
    sites.stop("east", is_stopped=False)
    for name in NAMES:
        until(lambda name=name: sites.ask(name)[0] == 200, ADMISSION_S, f"{name} goes on")
    for process in sites.processes.values():
        process.terminate()
        process.wait(20)
    for name in NAMES:
        records = [one.record for one in open_log(tmp_path / name / "ledger").records()]
        acts = [one for one in records if isinstance(one, Oversight)]
        assert [(one.act, one.scope, one.by) for one in acts] == [
            ("stop", "class:c", "ada"), ("resume", "class:c", "ada"),
        ]  # fmt: skip
        assert acts[0].cut == 3 and 0 < acts[0].effect_s <= STREAMS_S
        callers = {one.by for one in records if isinstance(one, AdminCall)}
        assert "ada" in callers and "" not in callers


def test_a_kill_between_the_write_and_the_sending_loses_nothing(sites: Sites) -> None:
    """The others stand still while it is written, so nothing of it was sent when it is killed."""
    for name in ("south", "east"):
        sites.signal(name, signal.SIGSTOP)
    sites.stop("north")
    sites.kill("north")
    for name in ("south", "east"):
        sites.signal(name, signal.SIGCONT)
    until(lambda: "feed-silent: north" in sites.told("south"), 10.0, "south misses north")
    sites.start_one("north")
    sites.ready("north")
    assert stopped(sites, "north"), "it forgot its own order"
    for name in ("south", "east"):
        until(lambda name=name: stopped(sites, name), 5.0, f"{name} hears what was written")
    assert sites.feeds("south")["north"]["sequence"] == 1
    sites.stop("south", is_stopped=False)
    until(lambda: sites.ask("north")[0] == 200, 5.0, "north hears south again")


def test_a_site_that_stands_still_grows_old_at_the_others(sites: Sites) -> None:
    sites.signal("north", signal.SIGSTOP)
    until(lambda: sites.feeds("south")["north"]["age_s"] > 4.0, 15.0, "its feed grows old")
    assert sites.feeds("south")["east"]["age_s"] < 2.5, "the others are heard as before"
    sites.signal("north", signal.SIGCONT)
    until(lambda: sites.feeds("south")["north"]["age_s"] < 2.0, 10.0, "it is heard again")
    assert "feed-heard: north" in sites.told("south")


def test_a_site_that_stood_still_does_not_take_old_beats_for_fresh(sites: Sites) -> None:
    """South stops; what north said meanwhile waits in its socket and is old when it is read."""
    sites.signal("south", signal.SIGSTOP)
    time.sleep(1.0)
    sites.signal("north", signal.SIGSTOP)
    time.sleep(3.0)
    sites.signal("south", signal.SIGCONT)
    until(lambda: sites.feeds("south")["east"]["age_s"] < 2.0, 10.0, "east is fresh")
    assert sites.feeds("south")["north"]["age_s"] >= 2.5
    sites.signal("north", signal.SIGCONT)
    until(lambda: sites.feeds("south")["north"]["age_s"] < 2.0, 10.0, "north is fresh again")
