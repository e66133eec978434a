"""Are the folders of RFC 8785's vectors read, and a wrong form told?"""

from flyball.ledger.suites.canonical import jcs_cases
from flyball.ledger.suites.cases import Case, Folder

FILES = {
    "testdata/input/a.json": b'{"b": 1.0, "a": "\\u20ac"}',
    "testdata/output/a.json": '{"a":"€","b":1}'.encode(),
    "testdata/outhex/a.txt": '{"a":"€","b":1}'.encode().hex().encode() + b"\n",
    "testdata/input/alone.json": b"[]",
    "testdata/README.md": b"x",
    "numbers.txt": b"3eb0c6f7a0b5ed8d,0.000001\n0,0\n",
    "notes.txt": b"hello\n",
}


def judged(files: dict[str, bytes]) -> list[Case]:
    return list(jcs_cases(Folder(tuple(sorted(files)), files.__getitem__)))


def test_texts_and_numbers() -> None:
    cases = judged(FILES)
    assert [case.name for case in cases] == [
        "numbers.txt: line 1",
        "numbers.txt: line 2",
        "testdata/input/a.json -> testdata/output/a.json",
        "testdata/input/a.json -> testdata/outhex/a.txt",
    ]
    assert [case for case in cases if case.problem] == []


def test_a_wrong_form_is_told() -> None:
    changed = FILES | {
        "testdata/output/a.json": b"{}",
        "numbers.txt": b"0,-0\n7ff0000000000000,Infinity\n",
    }
    problems = [case.problem for case in judged(changed)]
    assert problems[0] == "0.0 becomes 0"
    assert "no number of JSON" in problems[1]
    assert problems[2].startswith("it becomes") and problems[3] == ""


def test_an_input_that_is_refused_is_told() -> None:
    changed = FILES | {"testdata/input/a.json": b'{"a":1,"a":2}'}
    assert judged(changed)[2].problem == "refused: an object has two members of one name"
