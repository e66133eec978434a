"""Are bundles swapped whole over real processes, while streams run and whatever is killed?"""

import json
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from flyball.authority.bundles.bundle import decode
from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import grant
from flyball.authority.revocation.signer import key_text
from flyball.model.acts import BundleSet
from flyball.model.decision import Outcome
from flyball.serve.bundles.registry import push
from flyball.serve.durable import replace_durably
from flyball.serve.log.reader import open_log
from support.bundles import ALICE, PERMIT, bundle, chat, fleet, forbids, section
from support.mandates import ANNA, ROOT
from support.registry import registry_server


class Gateway:
    """`flyball serve` under one bundle."""

    def __init__(self, folder: Path, engine: str, extra: str, workers: int = 1) -> None:
        self.folder = folder
        self.file = folder / "fleet.yaml"
        self.file.write_text(fleet(engine, extra))
        self._workers = workers
        self._errors = folder / "errors.txt"
        self.begin()

    def begin(self) -> None:
        words = ["serve", str(self.file), "--port", "0", "--workers", str(self._workers)]
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "flyball", *words], stderr=errors, start_new_session=True
            )
        self.until(" serves http")
        self.url = self.told.split(" serves ")[1].split("/v1")[0]

    @property
    def told(self) -> str:
        return self._errors.read_text()

    def until(self, text: str, seconds: float = 30.0, count: int = 1) -> None:
        ends = time.monotonic() + seconds
        while self.told.count(text) < count:
            assert time.monotonic() < ends and self.process.poll() is None, self.told
            time.sleep(0.02)

    def ask(self, name: str, key: str = "") -> str:
        """ "ok", or the code of the refusal."""
        request = chat(self.url, name, 1)
        if key:
            request.add_header("authorization", f"Bearer {key}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return "ok" if b"[DONE]" in answer.read() else "cut"
        except urllib.error.HTTPError as error:
            return json.loads(error.read())["error"]["code"]

    def end(self) -> list:
        """The records it left."""
        self.process.terminate()
        assert self.process.wait(20) == 0, self.told
        return [one.record for one in open_log(self.folder / "log").records()]


@pytest.fixture
def ending() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def start(stack: ExitStack, folder: Path, engine: str, extra: str, workers: int = 1) -> Gateway:
    made = Gateway(folder, engine, extra, workers)

    def stop() -> None:
        if made.process.poll() is None:
            made.process.terminate()
            made.process.wait(20)

    stack.callback(stop)
    return made


class Stream(threading.Thread):
    """One long answer, read as it comes."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(daemon=True)
        self.request = chat(url, name, 150)
        self.received, self.text = 0, b""
        self.start()

    def run(self) -> None:
        with urllib.request.urlopen(self.request, timeout=30) as answer:
            while line := answer.readline():
                self.received += line.startswith(b"data: {")
                self.text += line

    @property
    def is_whole(self) -> bool:
        return b"[DONE]" in self.text


@pytest.mark.parametrize("workers", [1, 2])
def test_a_class_newly_forbidden_is_cut_and_the_others_go_on(
    engines, tmp_path: Path, ending: ExitStack, workers: int
) -> None:
    (engine,) = engines(1, gap_s=0.03)
    file = tmp_path / "work.tar"
    file.write_bytes(bundle().encode())
    found = start(ending, tmp_path, engine.url, section(file), workers)
    streams = [Stream(found.url, name) for name in ("fast", "slow") for _ in range(3)]
    until = time.monotonic() + 20
    while any(one.received < 5 for one in streams):
        assert time.monotonic() < until, "the streams begin"
        time.sleep(0.02)
    newer = bundle(forbids("slow"), version=2)
    replace_durably(file, newer.encode())
    for one in streams:
        one.join(20)
    assert [one.is_whole for one in streams] == [True] * 3 + [False] * 3
    assert all(one.received < 150 for one in streams[3:])
    for _ in range(6):
        assert (found.ask("fast"), found.ask("slow")) == ("ok", "policy_denied")
    records = found.end()
    acts = [one for one in records if isinstance(one, BundleSet)]
    assert [(one.role, one.version, one.in_force, one.signers) for one in acts] == [
        ("workload", 1, True, ("alice", "bob")),
        ("workload", 2, True, ("alice", "bob")),
    ]
    assert acts[1].digest == newer.digest and acts[1].replaced == acts[0].digest
    ended = [one.code for one in records if isinstance(one, Outcome) and one.code]
    assert ended.count("policy_denied") >= 3


def test_a_bad_bundle_changes_nothing_and_is_on_record(
    engines, tmp_path: Path, ending: ExitStack
) -> None:
    (engine,) = engines(1)
    file = tmp_path / "work.tar"
    good = bundle(forbids("slow"), version=5)
    file.write_bytes(good.encode())
    found = start(ending, tmp_path, engine.url, section(file))
    bad = {
        "rollback": bundle(version=4).encode(),
        "signers": bundle(version=6, signers=(ALICE,)).encode(),
        "unsigned": bundle(version=6, signers=()).encode(),
        "expired": bundle(version=6, expires="2020-01-02T00:00:00Z").encode(),
        "archive": good.encode()[:-700],
    }
    for count, (code, data) in enumerate(bad.items(), 1):
        replace_durably(file, data)
        found.until("bundle-refused", count=count)
        assert (found.ask("slow"), found.ask("fast")) == ("policy_denied", "ok"), code
    file.unlink()
    assert found.ask("slow") == "policy_denied"
    replace_durably(file, bundle(version=7).encode())
    found.until("version 7")
    found.until("in force (digest")
    assert found.ask("slow") == "ok"
    refused = [one for one in found.end() if isinstance(one, BundleSet) and not one.in_force]
    assert [one.reason.split(":")[0] for one in refused] == list(bad)
    assert [one.version for one in refused] == [4, 6, 6, 6, 0]


def test_both_bundles_must_allow_and_both_are_on_record(
    engines, tmp_path: Path, ending: ExitStack
) -> None:
    (engine,) = engines(1)
    work, site = bundle(forbids("slow")), bundle(forbids("fast"), name="site", signers=())
    (tmp_path / "work.tar").write_bytes(work.encode())
    (tmp_path / "site.tar").write_bytes(site.encode())
    extra = "authority: {bundles: {workload: work.tar, site: site.tar}}\n"
    found = start(ending, tmp_path, engine.url, extra)
    assert (found.ask("slow"), found.ask("fast")) == ("policy_denied", "policy_denied")
    assert "nobody need have signed this bundle" in found.told
    replace_durably(tmp_path / "site.tar", bundle(name="site", signers=(), version=2).encode())
    found.until("in force (digest")
    assert (found.ask("slow"), found.ask("fast")) == ("policy_denied", "ok")
    acts = [one for one in found.end() if isinstance(one, BundleSet)]
    assert [(one.role, one.digest) for one in acts[:2]] == [
        ("workload", work.digest), ("site", site.digest),
    ]  # fmt: skip


def test_a_bundle_that_expires_in_force_forbids_everything(
    engines, tmp_path: Path, ending: ExitStack
) -> None:
    (engine,) = engines(1)
    file = tmp_path / "work.tar"
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
    file.write_bytes(bundle(expires=soon).encode())
    found = start(ending, tmp_path, engine.url, section(file))
    assert found.ask("fast") == "ok"
    found.until("nothing is allowed")
    found.until("in force (digest")
    assert found.ask("fast") in ("policy_denied", "policy_error")
    replace_durably(file, bundle(version=2).encode())
    found.until("version 2")
    found.until("in force (digest", count=2)
    assert found.ask("fast") == "ok"


def test_a_kill_amid_swaps_leaves_a_whole_bundle(
    engines, tmp_path: Path, ending: ExitStack
) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    draw = random.Random(seed)
    (engine,) = engines(1)
    file, kept = tmp_path / "work.tar", tmp_path / "bundles" / "workload.tar"
    file.write_bytes(bundle().encode())
    found = start(ending, tmp_path, engine.url, section(file, poll_s=0.01))
    version = 1
    for _ in range(6):
        until = time.monotonic() + draw.uniform(0.0, 0.6)
        while time.monotonic() < until:
            version += 1
            policies = forbids("slow") if version % 2 else PERMIT
            replace_durably(file, bundle(policies, version=version).encode())
            found.process.send_signal(signal.SIGHUP)
            time.sleep(0.02)
        found.process.kill()
        found.process.wait(10)
        whole = decode(kept.read_bytes())
        assert 1 <= whole.manifest.version <= version
        file.unlink()  # the source is away: what was kept is served
        found.begin()
        expected = "policy_denied" if b"no-slow" in whole.content["policies.cedar"] else "ok"
        assert (found.ask("slow"), found.ask("fast")) == (expected, "ok")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_registry_is_polled_and_a_pinned_mandate_runs_under_its_bundle_alone(
    engines, tmp_path: Path, ending: ExitStack, workers: int
) -> None:
    (engine,) = engines(1)
    ours = ending.enter_context(registry_server())
    place, first, second = (
        ours.place("acme/work:live"),
        bundle(),
        bundle(forbids("slow"), version=2),
    )
    push(place, first.encode())
    text = section(place, more={"roots": {"1": key_text(ROOT.public)}})
    found = start(ending, tmp_path, engine.url, text, workers)
    now = time.time()
    pinned = {
        one.digest: grant(ROOT, ANNA, Limits(expires_at=now + 600, policy_digest=one.digest), now)
        for one in (first, second)
    }
    assert found.ask("fast", pinned[first.digest]) == "ok"
    assert found.ask("fast", pinned[second.digest]) == "policy_digest_differs"
    push(place, second.encode())
    found.until("in force (digest")
    until = time.monotonic() + 5
    while found.ask("fast", pinned[second.digest]) != "ok":
        assert time.monotonic() < until
    for _ in range(4):
        assert found.ask("fast", pinned[first.digest]) == "policy_digest_differs"
        assert found.ask("slow", pinned[second.digest]) == "policy_denied"
    ours.status = 503  # away: what is in force goes on
    found.process.send_signal(signal.SIGHUP)
    found.until("bundle-unreachable")
    assert found.ask("fast", pinned[second.digest]) == "ok"


def test_a_gateway_does_not_start_without_the_bundle_it_was_told_of(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    (tmp_path / "work.tar").write_bytes(bundle(signers=()).encode())
    file.write_text(fleet("http://127.0.0.1:1", section(tmp_path / "work.tar")))
    words = ["serve", str(file), "--port", "0"]
    done = subprocess.run(
        [sys.executable, "-m", "flyball", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "authority.bundles.workload: unsigned: it is not signed" in done.stderr
    assert "Traceback" not in done.stderr
