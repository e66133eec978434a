"""Does a file take another's place whole, and does a refusal leave the old one?"""

from pathlib import Path

import pytest

from flyball.serve.durable import create_durably, replace_durably


def test_the_new_takes_the_place_of_the_old(tmp_path: Path) -> None:
    path = tmp_path / "note"
    for data in (b"a longer text", b"short", b""):
        replace_durably(path, data)
        assert path.read_bytes() == data
    assert [one.name for one in tmp_path.iterdir()] == ["note"]


def test_what_a_kill_left_half_written_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".note.new").write_bytes(b"half of something long")
    replace_durably(tmp_path / "note", b"whole")
    assert (tmp_path / "note").read_bytes() == b"whole"


def test_a_refusal_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "note"
    replace_durably(path, b"old")
    (tmp_path / ".note.new").mkdir()
    with pytest.raises(OSError):
        replace_durably(path, b"new")
    assert path.read_bytes() == b"old"


def test_one_of_many_creates_it_and_the_others_find_what_stands(tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert [create_durably(path, bytes([n])) for n in range(3)] == [True, False, False]
    assert path.read_bytes() == b"\x00"
    assert [one.name for one in tmp_path.iterdir()] == ["key"]
