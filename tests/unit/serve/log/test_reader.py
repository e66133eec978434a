"""Is each record found by id, newest first and under proof, while the log grows and is sealed?"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flyball.ledger.record import encode
from flyball.ledger.tree import ProofError
from flyball.model.decision import Feasibility, Intent, Outcome, Record
from flyball.serve.log.reader import LogReader, open_log
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.writer import LedgerError, LogWriter
from support import records


def write(writer: LogWriter, found: list[Record]) -> None:
    left = [encode(record) for record in found]
    while left:
        room = writer.room(min(len(left), 100))
        part, left = left[:room], left[room:]
        writer.commit(part)
        writer.absorb(part)
        writer.flush()


def story(first: int, count: int) -> list[Record]:
    """One request each second; the outcome stands ten requests later."""
    intents = [records.intent(number) for number in range(first, first + count)]
    told: list[Record] = []
    for place, it in enumerate(intents):
        told.append(it)
        if place >= 10:
            told.append(records.outcome(intents[place - 10]))
    return told + [records.outcome(it) for it in intents[-10:]]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> LogReader:
    """3,000 requests in 5,986 entries: sealed bundles, a checkpoint, and a tail beyond it."""
    folder = tmp_path_factory.mktemp("log")
    writer = LogWriter(folder, origin="test/log", segment_entries_max=512)
    first = records.intent(5)
    near = records.intent(20, id=records.request_id(records.T0 + 20, 777), lineage=first.id)
    write(writer, [records.feasibility(scope="first"), *story(0, 20), near, *story(20, 980)])
    write(writer, [records.feasibility(records.T0 + 1000, scope="second"), *story(1000, 1990)])
    write(writer, [records.refusal(2990)])
    writer.checkpoint()
    write(writer, [records.intent(2991), records.intent(2992)])
    writer.close()
    return open_log(folder)


def test_the_tail_beyond_the_checkpoint_is_read_too(log: LogReader) -> None:
    assert log.size == log.checkpoint.size + 2 == 1 + 2001 + 1 + 3980 + 1 + 2
    assert sum(1 for _ in log.records()) == log.size


@pytest.mark.parametrize("number", [0, 1, 500, 999, 1000, 1500, 2000, 2980, 2989])
def test_intent_and_outcome_are_found_by_id(log: LogReader, number: int) -> None:
    it = records.intent(number)
    found = log.find(it.id)
    assert [item.record for item in found if item.record.id == it.id] == [it, records.outcome(it)]
    for item in found:
        assert next(log.records(item.index)) == item


def test_a_retry_near_in_time_is_found_by_its_lineage(log: LogReader) -> None:
    first = records.intent(5)
    by_lineage = [item.record for item in log.find(first.id) if item.record.id != first.id]
    assert [getattr(record, "lineage", "") for record in by_lineage] == [first.id]


def test_a_request_turned_away_is_found_by_its_id_though_one_record_counts_many(
    tmp_path: Path,
) -> None:
    store = LedgerStore(tmp_path / "log")
    turned = records.turned_away(3, count=5)
    for record in (records.intent(1), turned, records.intent(4)):
        store.append(record)
    assert store.close() == 0
    log = open_log(tmp_path / "log")
    for request_id in turned.ids:
        assert [found.record for found in log.find(request_id)] == [turned]


def test_an_id_without_time_is_found_by_the_whole_scan(log: LogReader) -> None:
    found = log.find("scope-1.3")
    assert [item.record.at for item in found] == [records.T0 - 1.0, records.T0 + 1000]


def test_an_id_whose_time_misleads_is_found_all_the_same(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, origin="test/log")
    stray = records.intent(1, id=records.request_id(records.T0 - 5000))
    write(writer, [*story(100, 300), stray])
    writer.close()
    assert [item.record for item in open_log(tmp_path).find(stray.id)] == [stray]


def test_what_is_not_there_is_not_found(log: LogReader) -> None:
    assert log.find(records.request_id(records.T0 + 3.5)) == []
    assert log.find("nonsense") == []
    assert log.find('quo"te') == []


def test_the_nearest_before_is_the_one_in_force(log: LogReader) -> None:
    for number, scope in ((500, "first"), (2500, "second")):
        index = log.find(records.intent(number).id)[0].index
        found = log.find_before("scope-1.3", index)
        assert found is not None
        assert isinstance(found.record, Feasibility)
        assert found.record.scope == scope
    assert log.find_before("scope-1.3", 0) is None


def test_newest(log: LogReader) -> None:
    def is_refusal(record: Record) -> bool:
        return isinstance(record, Outcome) and record.outcome == "refused"

    last = log.newest(lambda record: isinstance(record, Intent))
    refused = log.newest(is_refusal)
    assert last is not None
    assert last.index == log.size - 1
    assert refused is not None
    assert refused.record == records.refusal(2990)
    assert log.newest(lambda record: False) is None


def test_since_begins_a_little_before(log: LogReader) -> None:
    first = next(log.since(records.T0 + 2000))
    assert records.T0 + 1700 < first.record.at <= records.T0 + 2000
    assert next(log.since(0.0)).index == 0


def test_near_ids(log: LogReader) -> None:
    it = records.intent(1234)
    typo = it.id[:-1] + "f"
    assert it.id in log.near(typo)
    assert all(near.startswith(it.id[:16]) for near in log.near(it.id[:16]))
    assert log.near("") != []


@pytest.mark.parametrize("number", [0, 700, 2000, 2989])
def test_proofs(log: LogReader, number: int) -> None:
    for item in log.find(records.intent(number).id)[:2]:
        proof = log.prove(item)
        assert proof is not None
        assert proof.checkpoint == log.checkpoint
        assert len(proof.proof) <= 13


def test_what_is_newer_than_the_checkpoint_is_not_proven(log: LogReader) -> None:
    last = log.newest(lambda record: True)
    assert last is not None
    assert log.prove(last) is None


def test_a_changed_entry_is_not_proven(log: LogReader, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(log._folder, folder)
    bundle = folder / "tile/entries/003"
    bundle.write_bytes(bundle.read_bytes().replace(b'"alice"', b'"mallo"'))
    changed = open_log(folder)
    item = next(changed.records(3 * 256))
    with pytest.raises(ProofError):
        changed.prove(item)


def test_a_copy_without_the_write_ahead_folder_ends_at_its_checkpoint(
    log: LogReader, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(log._folder, folder, ignore=shutil.ignore_patterns("wal", "lock"))
    copy = open_log(folder)
    assert copy.size == log.checkpoint.size
    assert list(copy.records()) == list(log.records())[: copy.size]


def test_no_log_is_named_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=r"There is no log in .*--log"):
        open_log(tmp_path / "nothing")


def test_an_absent_bundle_is_named(log: LogReader, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(log._folder, folder)
    (folder / "tile/entries/003").unlink()
    with pytest.raises(LedgerError, match="tile/entries/003 is absent"):
        list(open_log(folder).records())


def test_a_damaged_entry_does_not_hide_the_others(log: LogReader, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(log._folder, folder)
    bundle = folder / "tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b'{"kind":"intent"', b'{"kind":"intxnt"', 1))
    wounded = open_log(folder)
    it = records.intent(30)
    assert [item.record for item in wounded.find(it.id)] == [it, records.outcome(it)]
    assert wounded.newest(lambda record: isinstance(record, Feasibility)) is not None


def test_a_slow_reader_sees_the_log_as_it_was(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, origin="test/log", segment_entries_max=256)
    write(writer, [records.config(number) for number in range(1000)])
    writer.checkpoint()
    log = open_log(tmp_path)
    seen: list[str] = []
    for found in log.records():
        seen.append(found.record.id)
        if len(seen) % 100 == 0:  # meanwhile segments are sealed and removed under the reader
            write(writer, [records.config(writer.size + i) for i in range(500)])
            writer.checkpoint()
    assert seen == [f"c{number}" for number in range(1000)]
    log.refresh()
    assert log.size == 6000
    assert [found.record.id for found in log.records()] == [f"c{i}" for i in range(6000)]
    writer.close()


WRITER = """
import sys
from pathlib import Path
from flyball.model.decision import ConfigSet
from flyball.ledger.record import encode
from flyball.serve.log.writer import LogWriter
writer = LogWriter(Path(sys.argv[1]), origin="test/log", segment_entries_max=256)
print("open", flush=True)
while True:
    part = [
        encode(ConfigSet(id=f"c{writer.size + i}", at=0.0, digest="", in_force=True, reason=""))
        for i in range(writer.room(100))
    ]
    writer.commit(part)
    writer.absorb(part)
    writer.checkpoint()
"""


def test_a_log_is_readable_while_another_process_writes_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    try:
        child.stdout.readline()
        sizes = read_for_a_second(open_log(tmp_path))
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert sizes == sorted(sizes)
    assert sizes[-1] > 1000


def read_for_a_second(log: LogReader) -> list[int]:
    sizes: list[int] = []
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        log.refresh()
        sizes.append(log.size)
        newest = log.newest(lambda record: True)
        if newest is not None:
            assert newest.record.id == f"c{log.size - 1}" == f"c{newest.index}"
        if log.checkpoint.size:
            assert log.prove(next(log.records(log.checkpoint.size // 2))) is not None
    return sizes


def test_rare_records_are_found_among_many(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "log")
    act, later = records.mandate_set(), records.revocation()
    for number in range(600):
        store.append(records.intent(number))
        if number in (3, 500):
            store.append(act if number == 3 else later)
    assert store.close() == 0
    log = open_log(tmp_path / "log")
    assert [one.record for one in log.rare(("mandate", "revocation"))] == [act, later]
    assert [one.record for one in log.rare(("revocation",))] == [later]
    assert list(log.rare(("bundle",))) == []
