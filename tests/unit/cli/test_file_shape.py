"""Is each fault of a described file told at its place, in words that say what to do?"""

from pathlib import Path
from typing import Any

import pytest

from flyball.cli.file_shape import CannotUse, check_shape, raise_if_bad, read
from flyball.serve.config.text import parse

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "rate": {"type": "number", "minimum": 0, "description": "Requests per second."},
        "tier": {"enum": ["edge", "central"]},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    },
    "required": ["rate"],
    "additionalProperties": False,
}


def faults(text: str) -> str:
    document = parse(text, "it.yaml")
    check_shape(document, SCHEMA, "See the reference.")
    with pytest.raises(CannotUse) as found:
        raise_if_bad(document)
    return found.value.message


def test_what_is_sound_has_no_fault() -> None:
    document = parse("rate: 2\ntier: edge\nlimit:\n", "it.yaml")
    check_shape(document, SCHEMA, "")
    raise_if_bad(document)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("rate: 2\nteir: edge\n", "it.yaml:2:1", "Did you mean 'tier'?"),
        ("rate: 2\ntier: centrl\n", "it.yaml:2:7", "Did you mean 'central'?"),
        ("rate: -1\n", "it.yaml:1:7", "Requests per second."),
        ("tier: edge\n", "it.yaml:1:1", "See the reference."),
        ("rate: 1\nlimit: many\n", "it.yaml:2:8", "See the reference."),
    ],
)
def test_a_fault_has_its_place_and_next_step(text: str, place: str, words: str) -> None:
    said = faults(text)
    assert place in said and words in said


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match="cannot read") as found:
        read(str(tmp_path / "none.yaml"))
    assert found.value.exit_code == 2
    (tmp_path / "odd.yaml").write_bytes(b"\xff\xfe")
    with pytest.raises(CannotUse, match="not UTF-8"):
        read(str(tmp_path / "odd.yaml"))
    (tmp_path / "sound.yaml").write_text("a: 1\n")
    assert read(str(tmp_path / "sound.yaml")).data == {"a": 1}
