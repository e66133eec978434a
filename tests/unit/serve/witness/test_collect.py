"""Does a log get its quorum within two seconds, with a witness dead, slow, lying or far behind?"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import aiohttp
import msgspec
import pytest

from flyball.ledger.note import Signer
from flyball.ledger.trust import Trust, judge, trust_of
from flyball.ledger.verify import COSIGNED, check_log
from flyball.serve.log.reader import open_log
from flyball.serve.log.store import LedgerStore
from flyball.serve.witness.collect import Collector, CosigningThread, Round
from support import records
from support.signers import LOG, ORIGIN, WITNESSES, signer
from support.witnesses import Running, witness_on

DEAD = "http://127.0.0.1:9"  # the discard port: nobody listens


class Scene:
    """A log and three witnesses, of which two must cosign."""

    def __init__(self, folder: Path, running: list[Running]) -> None:
        self.folder = folder / "log"
        self.running = running
        plain = trust_of([LOG.key], [one.key for one in WITNESSES[:3]], 2)
        self.trust = self.at([one.url for one in running], plain)

    def at(self, urls: list[str], trust: Trust | None = None) -> Trust:
        trust = trust or self.trust
        moved = tuple(
            msgspec.structs.replace(one, url=url)
            for one, url in zip(trust.witnesses, urls, strict=True)
        )
        return msgspec.structs.replace(trust, witnesses=moved)

    def store(self, *signers: Signer) -> LedgerStore:
        return LedgerStore(
            self.folder, origin=ORIGIN, signers=signers or [LOG], checkpoint_interval_s=0.02
        )

    def grow(self, count: int, start: int = 0) -> None:
        store = self.store()
        for number in range(start, start + count):
            it = records.intent(number)
            store.append(it)
            store.append(records.outcome(it))
        assert store.close() == 0

    def collect(self, *rounds_of: Trust, limit_s: float = 2.0) -> list[Round]:
        async def work() -> list[Round]:
            found = []
            async with aiohttp.ClientSession() as session:
                for trust in rounds_of or (self.trust,):
                    one = Collector(self.folder, trust, session, limit_s)
                    found.append(await one.collect((self.folder / "checkpoint").read_text()))
            return found

        return asyncio.run(work())

    def cosigned(self) -> int:
        """Entries under the cosigned checkpoint, judged as an outsider would."""
        found = judge((self.folder / COSIGNED).read_text(), self.trust)
        assert found.has_quorum
        return found.checkpoint.size


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with ExitStack() as stack:
        logs = {ORIGIN: [LOG.key]}
        running = [
            stack.enter_context(witness_on(tmp_path / f"w{i}", [WITNESSES[i]], logs))
            for i in range(3)
        ]
        yield Scene(tmp_path, running)


def test_all_three_cosign_growth_after_growth(scene: Scene) -> None:
    for step in range(3):
        scene.grow(150, 150 * step)
        (found,) = scene.collect()
        assert found.has_quorum and not found.failures
        assert found.taken_s <= 2.0
        assert scene.cosigned() == 300 * (step + 1)
    assert all(one.state.sizes() == {ORIGIN: 900} for one in scene.running)
    report = check_log(open_log(scene.folder).read, scene.trust)
    assert report.is_sound
    assert report.cosigned is not None and len(report.cosigned.cosigned) == 3


def test_one_dead_witness_does_not_hinder(scene: Scene) -> None:
    scene.grow(10)
    urls = [DEAD, *(one.url for one in scene.running[1:])]
    (found,) = scene.collect(scene.at(urls))
    assert found.has_quorum and len(found.failures) == 1
    assert scene.cosigned() == 20


def test_a_slow_witness_is_not_waited_for(scene: Scene) -> None:
    scene.grow(10)
    scene.running[0].delay_s = 30.0
    (found,) = scene.collect(limit_s=1.0)
    assert found.has_quorum and found.taken_s < 1.0
    assert "did not answer in 1 s" in found.failures[0]


def test_two_dead_witnesses_are_no_quorum_and_nothing_is_kept(scene: Scene) -> None:
    scene.grow(10)
    (found,) = scene.collect(scene.at([DEAD, DEAD, scene.running[2].url]))
    assert not found.has_quorum and len(found.failures) == 2
    assert not (scene.folder / COSIGNED).exists()


def test_witnesses_far_behind_catch_up(scene: Scene) -> None:
    """Only the third saw the first checkpoint; a fresh collector knows nothing of any of them."""
    scene.grow(100)
    scene.collect(scene.at([DEAD, DEAD, scene.running[2].url]))
    scene.grow(200, 100)
    (found,) = scene.collect()
    assert not found.failures
    assert scene.running[2].requests == 3  # the first, one that told its size, one that extended it


def test_a_log_that_was_set_back_is_told_so(scene: Scene) -> None:
    scene.grow(100)
    scene.collect()
    for path in sorted(scene.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    scene.grow(50)
    (found,) = scene.collect()
    assert not found.has_quorum
    assert all("saw 200 entries and this log has 100" in one for one in found.failures)


def test_a_log_that_was_rewritten_is_told_so(scene: Scene) -> None:
    scene.grow(100)
    scene.collect()
    for path in sorted(scene.folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    scene.grow(100, 500)
    (found,) = scene.collect()
    assert not found.has_quorum
    assert all("another tree of 200 entries: a fork" in one for one in found.failures)
    scene.grow(100, 600)
    (found,) = scene.collect()
    assert all("answered 422" in one for one in found.failures)


def test_a_witness_that_signs_with_another_key_does_not_count(scene: Scene, tmp_path: Path) -> None:
    scene.grow(10)
    logs = {ORIGIN: [LOG.key]}
    with witness_on(tmp_path / "other", [signer(WITNESSES[0].key.name, 99)], logs) as other:
        urls = [other.url, DEAD, scene.running[2].url]
        (found,) = scene.collect(scene.at(urls))
    assert not found.has_quorum
    assert any("cosigned with another key" in one for one in found.failures)


def test_the_log_s_key_rotates_with_both_side_by_side(scene: Scene) -> None:
    """Witnesses that know only one of the two keys cosign all the same."""
    new = signer(ORIGIN, 200, LOG.key.kind)
    scene.grow(10)
    store = scene.store(LOG, new)
    store.append(records.intent(50))
    assert store.close() == 0
    (found,) = scene.collect()
    assert found.has_quorum and not found.failures
    for keys in ([LOG.key], [new.key], [LOG.key, new.key]):
        trust = msgspec.structs.replace(scene.trust, logs=tuple(keys))
        assert len(judge(found.note, trust).logs) == len(keys)


def wait_until(condition, seconds: float = 10.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_a_thread_keeps_the_cosigned_checkpoint_near_the_newest(scene: Scene) -> None:
    changes: list[str] = []
    store = scene.store()
    thread = CosigningThread(scene.folder, scene.trust, changes.append)
    for number in range(100):
        store.append(records.config(number))
    wait_until(lambda: (scene.folder / COSIGNED).exists() and scene.cosigned() == 100)
    for number in range(100, 150):
        store.append(records.config(number))
    assert store.close() == 0
    thread.stop()
    assert scene.cosigned() == 150
    assert changes == []


def test_the_thread_tells_when_the_quorum_is_lost_and_met_again(scene: Scene) -> None:
    changes: list[str] = []
    scene.running[0].delay_s = scene.running[1].delay_s = 5.0
    store = scene.store()
    store.append(records.config(0))
    thread = CosigningThread(scene.folder, scene.trust, changes.append, limit_s=0.3)
    wait_until(lambda: len(changes) == 1)
    assert "did not answer in 0.3 s" in changes[0]
    scene.running[0].delay_s = scene.running[1].delay_s = 0.0
    wait_until(lambda: len(changes) == 2)
    assert changes[1] == ""
    assert store.close() == 0
    thread.stop()
    thread.stop()  # once more does no harm
