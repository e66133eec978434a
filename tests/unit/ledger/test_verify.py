"""Does the whole-log check pass a sound log, and find each kind of damage by name?"""

import pytest

from flyball.ledger.checkpoint import Checkpoint, CheckpointError, parse
from flyball.ledger.note import ED25519, Signer, sign_note
from flyball.ledger.record import encode
from flyball.ledger.tiles import ENTRIES, OpenTiles, pack, prunable, tile_path
from flyball.ledger.tree import ProofError, leaf_hash, verify_inclusion
from flyball.ledger.trust import trust_of
from flyball.ledger.verify import COSIGNED, Report, check_log, prove_entry
from flyball.model.decision import Record
from support import records
from support.signers import LOG, WITNESS_KEYS, WITNESSES, signed, signer

KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"


def log_of(entries: list[bytes], signer: Signer | None = None) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    edge = OpenTiles()
    for start in range(0, len(entries), 256):
        part = entries[start : start + 256]
        files[tile_path(ENTRIES, start // 256, len(part))] = pack(part)
        for entry in part:
            files.update(edge.append(leaf_hash(entry)))
    files.update(edge.partial_tiles())
    text = Checkpoint("PeterNeumann", len(entries), edge.root()).text()
    files["checkpoint"] = (sign_note(text, [signer]) if signer else text).encode()
    return files


def story(count: int) -> list[Record]:
    intents = [records.intent(number) for number in range(count)]
    return [record for it in intents for record in (it, records.outcome(it, at=it.at))]


def check(found: list[Record]) -> Report:
    return check_log(log_of([encode(record) for record in found]).get)


ENTRIES_600 = [encode(record) for record in story(300)]


@pytest.mark.parametrize("count", [0, 1, 128, 129, 300])
def test_a_sound_log(count: int) -> None:
    report = check(story(count))
    assert report.problems == ()
    assert report.is_sound
    assert report.size == 2 * count
    assert report.open_intents == ()


@pytest.mark.parametrize("path", sorted(log_of(ENTRIES_600)))
def test_a_flipped_byte_anywhere_is_found(path: str) -> None:
    files = log_of(ENTRIES_600)
    raw = bytearray(files[path])
    raw[len(raw) // 2] ^= 1
    files[path] = bytes(raw)
    try:
        report = check_log(files.get)
    except CheckpointError:
        assert path == "checkpoint"
    else:
        assert not report.is_sound


def test_a_changed_entry_is_named() -> None:
    files = log_of(ENTRIES_600)
    path = "tile/entries/001"
    files[path] = files[path].replace(b'"principal":"alice"', b'"principal":"mallo"', 1)
    report = check_log(files.get)
    assert report.problems == (
        "Entry 256 in tile/entries/001: its hash is not the one in tile/0/001.",
    )


@pytest.mark.parametrize(
    "path",
    [
        "tile/entries/001",
        "tile/entries/002.p/88",
        "tile/0/000",
        "tile/0/002.p/88",
        "tile/1/000.p/2",
    ],
)
def test_an_absent_file_is_named(path: str) -> None:
    files = log_of(ENTRIES_600)
    del files[path]
    report = check_log(files.get)
    assert path in report.problems[0]
    assert "absent" in report.problems[0]


def test_an_entry_dropped_from_a_bundle_is_found() -> None:
    files = log_of(ENTRIES_600)
    files["tile/entries/000"] = pack(ENTRIES_600[:255])
    assert "holds 255 entries, not 256" in check_log(files.get).problems[0]


def test_a_log_rewritten_under_an_old_checkpoint_is_found() -> None:
    files = log_of([*ENTRIES_600[:-1], encode(records.config(1))])
    files["checkpoint"] = log_of(ENTRIES_600)["checkpoint"]
    assert any("the checkpoint claims" in problem for problem in check_log(files.get).problems)


def test_signatures() -> None:
    signer = Signer.parse(KEY)
    files = log_of(ENTRIES_600, signer)
    trust = trust_of([signer.key], [], 0)
    assert check_log(files.get, trust).is_sound
    unsigned = check_log(log_of(ENTRIES_600).get, trust)
    assert not unsigned.is_sound
    assert unsigned.problems[0].startswith("The checkpoint: ")


def test_no_checkpoint_is_an_error_not_a_sound_log() -> None:
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        check_log({}.get)


def test_a_second_outcome_is_a_problem() -> None:
    it = records.intent()
    report = check([it, records.outcome(it), records.outcome(it)])
    assert report.problems == (f"Entry 2: a second outcome for {it.id}.",)


def test_an_outcome_before_its_intent_is_a_problem() -> None:
    it = records.intent()
    report = check([records.outcome(it), it])
    assert report.problems == (
        f"Entry 0: {it.id} was served without an intent before it.",
        f"Entry 1: an intent for {it.id} follows its outcome.",
    )


def test_attempts_count_upward_and_share_one_outcome() -> None:
    it = records.intent()
    assert check([it, records.intent(attempt=2), records.outcome(it)]).is_sound
    report = check([it, it, records.outcome(it)])
    assert report.problems == (f"Entry 1: attempt 1 of {it.id} follows attempt 1.",)


def test_an_outcome_far_before_its_intent_in_time_is_a_problem() -> None:
    it = records.intent()
    assert check([it, records.outcome(it, at=it.at - 1.0)]).is_sound
    report = check([it, records.outcome(it, at=it.at - 9.0)])
    assert report.problems == (f"Entry 1: the outcome of {it.id} is 9.0 s before its intent.",)


def test_a_refusal_stands_alone() -> None:
    assert check([records.refusal()]).is_sound


def test_an_intent_may_be_open_until_its_deadline_is_long_past() -> None:
    it = records.intent()
    running = check([it, records.config(100)])
    assert running.is_sound
    assert running.open_intents == (it.id,)
    late = check([it, records.config(200)])
    assert late.problems == (f"{it.id} has an intent but no outcome, 140 s after its deadline.",)


def test_an_unknown_kind_is_told_and_the_rest_checked() -> None:
    entries = [b'{"kind":"omen","id":"m"}', *ENTRIES_600[:2]]
    report = check_log(log_of(entries).get)
    assert report.problems == (
        "Entry 0 is a record of the kind 'omen', which this version does not know.",
    )


def test_problems_are_bounded_but_counted() -> None:
    report = check([records.outcome(records.intent(n)) for n in range(250)])
    assert len(report.problems) == 100
    assert report.problems_count == 250


def test_prove_entry_refuses_what_is_not_there() -> None:
    files = log_of(ENTRIES_600)
    claimed = parse(files["checkpoint"].decode())
    found = prove_entry(300, ENTRIES_600[300], claimed, files.get)
    assert (found.index, found.leaf) == (300, leaf_hash(ENTRIES_600[300]))
    with pytest.raises(ProofError, match="entry 300"):
        prove_entry(300, ENTRIES_600[299], claimed, files.get)


# -- a verifier outside: keys, quorum, an older checkpoint, ids ------------------------------------

TRUST = trust_of([LOG.key], WITNESS_KEYS[:3], 2)


def published(entries: list[bytes], *cosigners: Signer) -> dict[str, bytes]:
    """A log under its own name, signed and cosigned."""
    files = log_of(entries)
    claimed = parse(files["checkpoint"].decode())
    files["checkpoint"] = signed(claimed.size, claimed.root, *cosigners).encode()
    return files


def test_the_quorum_may_stand_on_the_checkpoint_itself() -> None:
    report = check_log(published(ENTRIES_600, *WITNESSES[:2]).get, TRUST)
    assert report.is_sound
    assert report.cosigned is not None and len(report.cosigned.cosigned) == 2


def test_the_quorum_may_stand_on_a_checkpoint_a_little_older() -> None:
    files = published(ENTRIES_600)
    files[COSIGNED] = published(ENTRIES_600[:400], *WITNESSES[:3])["checkpoint"]
    report = check_log(files.get, TRUST)
    assert report.is_sound
    assert report.cosigned is not None and report.cosigned.checkpoint.size == 400


def test_without_a_quorum_it_is_said() -> None:
    files = published(ENTRIES_600)
    files[COSIGNED] = published(ENTRIES_600, WITNESSES[0])["checkpoint"]
    report = check_log(files.get, TRUST)
    assert report.problems[0].startswith("No checkpoint met the quorum: 2 of 3 (")


def test_a_log_rolled_back_below_what_witnesses_saw_is_found() -> None:
    files = published(ENTRIES_600[:400])
    files[COSIGNED] = published(ENTRIES_600, *WITNESSES[:3])["checkpoint"]
    assert check_log(files.get, TRUST).problems[0] == (
        "The log was rolled back: it has 400 entries, the one in checkpoint.cosigned has 600."
    )


def test_a_dropped_record_is_found_by_who_holds_an_older_checkpoint() -> None:
    """The operator himself, with the key, writes the log anew without entry 100."""
    kept = published(ENTRIES_600[:400])["checkpoint"].decode()
    files = published([*ENTRIES_600[:100], *ENTRIES_600[101:]])
    files[COSIGNED] = published([*ENTRIES_600[:100], *ENTRIES_600[101:]], *WITNESSES)["checkpoint"]
    report = check_log(files.get, TRUST, older=[kept])
    assert "The log was forked: its 599 entries do not extend the older checkpoint of 400." in (
        report.problems
    )


@pytest.mark.parametrize("size", [0, 1, 256, 399, 600])
def test_a_log_extends_every_checkpoint_that_it_had(size: int) -> None:
    kept = published(ENTRIES_600[:size])["checkpoint"].decode()
    files = published(ENTRIES_600, *WITNESSES[:2])
    assert check_log(files.get, TRUST, older=[kept]).is_sound
    if size:
        forged = published([b"{}", *ENTRIES_600[1:size]])["checkpoint"].decode()
        assert not check_log(files.get, TRUST, older=[forged]).is_sound


def test_an_older_checkpoint_of_a_stranger_or_of_another_log_is_no_witness() -> None:
    files = published(ENTRIES_600, *WITNESSES[:2])
    other = signer("log.example/us", 2, ED25519)
    strange = signed(10, bytes(32), log=other)
    problems = check_log(files.get, TRUST, older=[strange]).problems
    assert problems[0].startswith("The older checkpoint: no trusted key signed this")
    problems = check_log(files.get, older=[strange]).problems
    assert problems == (
        "The log is 'log.example/eu', the older checkpoint is of 'log.example/us'.",
    )


def test_ids_are_found_and_proven() -> None:
    files = published(ENTRIES_600, *WITNESSES[:2])
    wanted = records.intent(77).id
    report = check_log(files.get, TRUST, record_ids=[wanted, "req_none"])
    assert [one.index for one in report.found[wanted]] == [154, 155]
    assert report.problems == ("No entry is about req_none.",)
    for one in report.found[wanted]:
        verify_inclusion(one.index, 600, one.leaf, one.proof, report.root)


@pytest.mark.parametrize("minimum", [256, 400, 512])
def test_pruned_entries_are_excused_only_by_the_caller(minimum: int) -> None:
    files = published(ENTRIES_600, *WITNESSES[:2])
    for level, count in prunable(minimum):
        for index in range(count):
            del files[tile_path(level, index)]
    assert check_log(files.get, TRUST, pruned_below=minimum).is_sound
    assert not check_log(files.get, TRUST).is_sound
    assert not check_log(files.get, TRUST, pruned_below=255).is_sound


def test_an_outcome_may_lose_its_intent_to_the_cut_but_not_later() -> None:
    """Entry 256 is an outcome whose intent, entry 255, was pruned."""
    shifted = [encode(records.config(0)), *ENTRIES_600]
    files = log_of(shifted)
    assert check_log(files.get, pruned_below=256).is_sound
    late = records.outcome(records.intent(290), at=records.intent(290).at + 1)
    dropped = [entry for entry in shifted if late.id.encode() not in entry or b'"outcome"' in entry]
    problems = check_log(log_of(dropped).get, pruned_below=256).problems
    assert len(problems) == 1 and "without an intent" in problems[0]


def test_a_flipped_byte_of_a_pruned_log_is_found() -> None:
    files = log_of(ENTRIES_600)
    for path in ("tile/entries/000", "tile/0/000"):
        del files[path]
    assert check_log(files.get, pruned_below=256).is_sound
    for path in sorted(files.keys() - {"checkpoint"}):
        raw = bytearray(files[path])
        raw[len(raw) // 2] ^= 1
        assert not check_log((files | {path: bytes(raw)}).get, pruned_below=256).is_sound, path
