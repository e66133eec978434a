"""Do three governors keep to one person's word, whatever stands still or dies in between?"""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.authority.mandates.attenuate import attenuate
from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import grant
from flyball.authority.mandates.tokens import Verifier
from flyball.authority.revocation.revocation import Revocation
from flyball.authority.revocation.signer import key_text
from flyball.model.acts import AdminCall, Oversight, RevocationSet
from flyball.serve.log.reader import open_log
from support.mandates import ANNA, ROOT
from support.sites import NAMES, Sites, Stream, three_sites, until

ADMISSION_S = 1.0
STREAMS_S = 2.0
SPECIAL_S = 2.0
MANDATES = (
    f'authority:\n  roots: {{"1": "{key_text(ROOT.public)}"}}\n'
    f"  feed_age_s: {{special: {SPECIAL_S}, public: 3600}}\n"
)


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


def mandate(is_delegated: bool = False) -> tuple[str, tuple[str, ...]]:
    """A header with a fresh mandate, and the revocation ids of its chain."""
    now = time.time()
    token = grant(ROOT, ANNA, Limits(expires_at=now + 600), now - 1)
    if is_delegated:
        token = attenuate(token, Limits(operations=("chat",)), agent="planner-7")
    found = Verifier({1: ROOT.public}, {}, {}).verify(token, now)
    return f"Bearer {token}", found.chain


def revocation(ids: tuple[str, ...] = (), subjects: tuple[str, ...] = ()) -> Revocation:
    return Revocation(
        id=f"r{time.monotonic()}",
        by="ada",
        reason="a test",
        made_at=time.time(),
        ids=ids,
        subjects=subjects,
    )


def test_revoked_mandates_are_void_everywhere_and_descendants_with_them(tmp_path: Path) -> None:
    with three_sites(tmp_path, extra=MANDATES, workers=2) as sites:
        parent, chain = mandate(is_delegated=True)
        other, _ = mandate()
        streams = [Stream(sites.ports[name], authorization=parent) for name in NAMES]
        kept = Stream(sites.ports["south"], authorization=other)
        until(lambda: all(one.chunks > 3 for one in (*streams, kept)), 20.0, "the streams begin")
        begun = sites.order("east", revocation(ids=chain[:1]))
        for name in NAMES:
            assert sites.ask(name, authorization=parent) == (403, "mandate_revoked"), name
            assert sites.ask(name, authorization=other)[0] == 200
        assert all(one.join(STREAMS_S) for one in streams)
        assert max(one.ended_at for one in streams) - begun <= STREAMS_S
        assert not kept.join(0.0), "nobody revoked this one"
        sites.order("north", revocation(subjects=(f"session:{ANNA.issuer}|{ANNA.session}",)))
        assert kept.join(STREAMS_S)
        assert sites.ask("east", authorization=other) == (403, "mandate_revoked")
        for process in sites.processes.values():
            process.terminate()
            process.wait(20)
        found = [one.record for one in open_log(tmp_path / "south" / "ledger").records()]
        done = [one for one in found if isinstance(one, RevocationSet) and one.cut]
        assert [(one.feed, one.by, one.cut) for one in done] == [
            ("east", "ada", 1), ("north", "ada", 1),
        ]  # fmt: skip


def test_a_site_that_is_cut_off_refuses_special_data_after_its_age(tmp_path: Path) -> None:
    with three_sites(tmp_path, extra=MANDATES) as sites:
        key, _ = mandate()

        def special(name: str) -> tuple[int, str]:
            return sites.ask(name, authorization=key, x_flyball_class="s")

        assert special("south")[0] == 200
        sites.signal("north", signal.SIGSTOP)
        begun = time.monotonic()
        until(lambda: special("south")[1] == "revocation_stale", 10.0, "south refuses")
        assert SPECIAL_S - 1.5 < time.monotonic() - begun < SPECIAL_S + 2.0
        assert sites.ask("south", authorization=key)[0] == 200, "other data may be older"
        sites.signal("north", signal.SIGCONT)
        until(lambda: special("south")[0] == 200, 10.0, "south hears north again")
