"""Does a case fail when the verdict is the wrong one, either way?"""

from flyball.ledger.suites.cases import Case, Folder, expected


def refuse() -> None:
    raise ValueError("no good")


def test_a_case_passes_when_the_verdict_is_the_one_expected() -> None:
    assert expected("a", True, lambda: None) == Case("a")
    assert expected("a", False, refuse) == Case("a")
    assert expected("a", True, refuse).problem == "refused, but it is valid: no good"
    assert expected("a", False, lambda: None).problem == "accepted, but it is not valid"


def test_documents_are_the_json_files() -> None:
    files = {"a.json": b"[1]", "b.txt": b"x", "c/d.json": b"{"}
    found = dict(Folder(tuple(sorted(files)), files.__getitem__).documents())
    assert found["a.json"] == [1]
    assert isinstance(found["c/d.json"], ValueError)
    assert "b.txt" not in found
