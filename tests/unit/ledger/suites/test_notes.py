"""Are vectors of notes judged as they say, in both layouts, and are false claims found?"""

import json

import pytest

from flyball.ledger.suites.cases import Case, Folder
from flyball.ledger.suites.notes import checkpoint_cases, cosignature_cases, note_cases
from support.signers import AT, LOG, WITNESSES, signed

NOTE = signed(10, b"\x07" * 32, *WITNESSES[:2])
W1, W2 = (one.key.text() for one in WITNESSES[:2])
GOOD = {"name": "good", "note": NOTE, "vkeys": [LOG.key.text()], "valid": True}


def judged(suite, *cases: dict[str, object], **files: bytes) -> list[Case]:
    held = {name.replace("__", "/").replace("_", "."): data for name, data in files.items()}
    if cases:
        held["vectors.json"] = json.dumps(cases).encode()
    return list(suite(Folder(tuple(sorted(held)), held.__getitem__)))


@pytest.mark.parametrize("suite", [note_cases, checkpoint_cases])
def test_a_good_case_passes_and_a_false_claim_fails(suite) -> None:
    assert judged(suite, GOOD)[0].problem == ""
    assert judged(suite, GOOD | {"valid": False})[0].problem.startswith("accepted")
    assert judged(suite, GOOD | {"note": NOTE.replace("\n10\n", "\n11\n")})[0].problem
    assert judged(suite, GOOD | {"vkeys": [W1[:-4] + "AAA="]})[0].problem


@pytest.mark.parametrize(
    "change",
    [
        {"text": "another\n"},
        {"least": 2},
        {"skey": WITNESSES[0].private_text(), "timestamp": AT + 1},
        {"vkeys": []},
    ],
)
def test_what_a_note_case_states_is_held(change: dict[str, object]) -> None:
    assert judged(note_cases, GOOD | change)[0].problem


def test_signing_is_held_byte_for_byte() -> None:
    for signer, at in ((LOG, 0), (WITNESSES[0], AT)):
        case = GOOD | {"skey": signer.private_text(), "timestamp": at}
        assert judged(note_cases, case)[0].problem == ""


@pytest.mark.parametrize("change", [{"origin": "x"}, {"size": 11}, {"root": "AAAA"}])
def test_what_a_checkpoint_case_states_is_held(change: dict[str, object]) -> None:
    good = {
        "origin": "log.example/eu",
        "size": 10,
        "root": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
    }
    assert judged(checkpoint_cases, GOOD | good)[0].problem == ""
    assert judged(checkpoint_cases, GOOD | good | change)[0].problem


def test_cosignatures_and_their_times() -> None:
    good = GOOD | {"vkeys": [LOG.key.text(), W1, W2], "least": 3, "timestamps": [AT, AT]}
    assert judged(cosignature_cases, good)[0].problem == ""
    assert judged(cosignature_cases, good | {"timestamps": [AT, AT + 1]})[0].problem
    assert "no witness" in judged(cosignature_cases, GOOD)[0].problem


def test_all_ways_to_say_what_holds_and_where_cases_stand() -> None:
    held = {
        "a.json": json.dumps({"tests": [GOOD, GOOD | {"wantErr": False}]}).encode(),
        "b.json": json.dumps({"vectors": [GOOD | {"result": "valid"}]}).encode(),
        "c.json": json.dumps({"checkpoint": NOTE, "vkey": W1, "desc": "alone"}).encode(),
        "d.json": b'{"other": 1}',
        "e.json": b"{",
    }
    cases = list(note_cases(Folder(tuple(sorted(held)), held.__getitem__)))
    assert [case.name for case in cases if not case.problem] == [
        "a.json: good",
        "a.json: good",
        "b.json: good",
        "c.json: alone",
    ]
    assert [case.name for case in cases if case.problem] == ["e.json"]


def test_files_with_keys_beside_them() -> None:
    bad = NOTE.replace("\n10\n", "\n11\n").encode()
    cases = judged(
        note_cases,
        one_note=NOTE.encode(),
        one_vkey=LOG.key.text().encode(),
        more__keys_vkey=f"{W1}\n{W2}\n".encode(),
        more__two_checkpoint=NOTE.encode(),
        invalid__keys_vkey=LOG.key.text().encode(),
        invalid__three_note=bad,
        four_note=NOTE.encode(),
    )
    assert {case.name: bool(case.problem) for case in cases} == {
        "one.note": False,
        "more/two.checkpoint": False,
        "invalid/three.note": False,
        "four.note": True,  # no key anywhere
    }
