"""Are problems of several logs each shown once, and those not kept still counted?"""

from typing import Any

import pytest

from flyball.cli.verify_output import print_told


def log(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "origin": "eu", "size": 3, "root": "ab", "signed_by": ["eu"], "quorum": None,
        "cosigned": None, "open_intents": [], "found": {}, "problems": [], "remarks": [],
        "problems_count": 0, "ok": True,
    }  # fmt: skip
    return fields | changes


def test_several(capsys: pytest.CaptureFixture[str]) -> None:
    bad = log(origin="us", problems=["A."], problems_count=1, ok=False)
    told = {"logs": [log(), bad], "decisions": {"computed": 2, "drawn": 1}, "problems": ["B."],
            "remarks": ["R."], "problems_count": 5, "ok": False}  # fmt: skip
    print_told(told)
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "PROBLEM" in line] == [
        "PROBLEM   A.", "PROBLEM   B.", "PROBLEM   … and 3 more",
    ]  # fmt: skip
    assert "decisions 3: 2 computed again, 1 drawn among equals" in lines
    assert lines[-1] == "NOT SOUND: 5 problems"


def test_one(capsys: pytest.CaptureFixture[str]) -> None:
    print_told(log(decisions={}, problems=["A."], problems_count=2, ok=False))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3:] == ["PROBLEM   A.", "PROBLEM   … and 1 more", "NOT SOUND: 2 problems"]
