"""Does a witness remember what it cosigned, through restarts and full disks, and sign no fork?"""

import os
from hashlib import sha256
from pathlib import Path

import pytest

from flyball.ledger.note import Signer, read_note
from flyball.ledger.proof import growth
from flyball.ledger.tiles import OpenTiles
from flyball.ledger.tree import leaf_hash, root_of
from flyball.ledger.witness import Submission
from flyball.serve.witness.state import EVIDENCE, EVIDENCE_MAX, WitnessError, WitnessState
from support.signers import AT, LOG, ORIGIN, WITNESSES, signed, signer

LEAVES = [leaf_hash(b"%d" % number) for number in range(400)]
ME = WITNESSES[0]


def body(old: int, size: int, leaves: list[bytes] = LEAVES, note: str = "") -> bytes:
    files: dict[str, bytes] = {}
    edge = OpenTiles()
    for leaf in leaves[:size]:
        files.update(edge.append(leaf))
    files.update(edge.partial_tiles())
    note = note or signed(size, root_of(leaves[:size]))
    return Submission(old, growth(old, size, files.get), note).text().encode()


class Clock:
    def __init__(self) -> None:
        self.now = float(AT)

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def state_in(folder: Path, clock: Clock, *signers: Signer) -> WitnessState:
    return WitnessState(folder, signers or (ME,), {ORIGIN: [LOG.key]}, clock)


def test_a_cosignature_holds_and_says_when(tmp_path: Path, clock: Clock) -> None:
    state = state_in(tmp_path, clock)
    verdict, lines = state.submit(body(0, 100))
    assert verdict.status == 200
    found = read_note(f"{verdict.text}\n{lines}", [ME.key])
    assert [one.at for one in found.signed] == [AT]
    assert state.sizes() == {ORIGIN: 100}


def test_it_is_remembered_through_a_restart(tmp_path: Path, clock: Clock) -> None:
    state = state_in(tmp_path, clock)
    state.submit(body(0, 100))
    state.close()
    again = state_in(tmp_path, clock)
    assert again.sizes() == {ORIGIN: 100}
    assert again.submit(body(0, 50))[0].status == 409
    assert again.submit(body(100, 200))[0].status == 200


def test_it_is_on_the_disk_before_the_answer(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the moment of the first sync nothing is visible; without it there is no answer at all."""
    state = state_in(tmp_path, clock)
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (synced.append(file), real(file)))
    state.submit(body(0, 100))
    assert len(synced) >= 2  # the file and its folder

    def refuse(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError):
        state.submit(body(100, 200))
    monkeypatch.setattr(os, "fsync", real)
    assert state.sizes() == {ORIGIN: 100}
    assert state.submit(body(100, 200))[0].status == 200


def test_a_clock_set_back_does_not_date_a_cosignature_back(tmp_path: Path, clock: Clock) -> None:
    state = state_in(tmp_path, clock)
    state.submit(body(0, 100))
    state.close()
    clock.now -= 3600
    again = state_in(tmp_path, clock)
    verdict, lines = again.submit(body(100, 200))
    assert read_note(f"{verdict.text}\n{lines}", [ME.key]).signed[0].at == AT


def test_lines_that_came_with_the_note_cannot_damage_the_state(
    tmp_path: Path, clock: Clock
) -> None:
    """A false line under this witness's own name, and as many strangers as a note may have."""
    note = signed(100, root_of(LEAVES[:100]))
    false = ME.line("something else\n", AT)
    strangers = "".join(signer(f"s{n}", n + 30).line("x\n") for n in range(62))
    state = state_in(tmp_path, clock)
    assert state.submit(body(0, 100, note=note + false + strangers))[0].status == 200
    state.close()
    assert state_in(tmp_path, clock).sizes() == {ORIGIN: 100}


def test_old_and_new_key_cosign_side_by_side_then_the_new_alone(
    tmp_path: Path, clock: Clock
) -> None:
    new = signer("witness.example/w0-2027", 77)
    state = state_in(tmp_path, clock)
    state.submit(body(0, 100))
    state.close()
    both = state_in(tmp_path, clock, ME, new)
    verdict, lines = both.submit(body(100, 200))
    assert len(read_note(f"{verdict.text}\n{lines}", [ME.key, new.key]).signed) == 2
    both.close()
    alone = state_in(tmp_path, clock, new)
    assert alone.sizes() == {ORIGIN: 200}


def test_a_fork_is_kept_as_evidence_once_and_bounded(tmp_path: Path, clock: Clock) -> None:
    state = state_in(tmp_path, clock)
    state.submit(body(0, 100))
    fork = signed(100, bytes(32))
    wish = Submission(100, (), fork).text().encode()
    for _ in range(3):
        assert state.submit(wish)[0].status == 409
    kept = list((tmp_path / EVIDENCE).iterdir())
    assert [one.read_text() for one in kept] == [fork]
    for number in range(EVIDENCE_MAX + 5):
        root = sha256(b"%d" % number).digest()
        state.submit(Submission(100, (), signed(100, root)).text().encode())
    assert len(list((tmp_path / EVIDENCE).iterdir())) == EVIDENCE_MAX


def test_a_state_changed_by_another_hand_is_refused(tmp_path: Path, clock: Clock) -> None:
    state = state_in(tmp_path, clock)
    state.submit(body(0, 100))
    state.close()
    path = next((tmp_path / "logs").iterdir())
    good = path.read_text()
    for bad in (good.replace("\n100\n", "\n90\n"), "", good[:-5], good.split("— witness")[0]):
        path.write_text(bad)
        with pytest.raises(WitnessError, match="must not sign again"):
            state_in(tmp_path, clock)
    path.write_text(good)
    path.rename(path.with_name(sha256(b"another").hexdigest()))
    with pytest.raises(WitnessError, match="stands under another name"):
        state_in(tmp_path, clock)


def test_one_process_holds_the_folder(tmp_path: Path, clock: Clock) -> None:
    state = state_in(tmp_path, clock)
    with pytest.raises(WitnessError, match="Another witness runs"):
        state_in(tmp_path, clock)
    state.close()
    state_in(tmp_path, clock).close()


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WitnessError, match="cannot be used"):
        state_in(tmp_path / "file" / "x", clock)
