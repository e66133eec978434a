"""Are YAML 1.2, places, double keys, anchors and hostile files read as they should be?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.serve.config.text import Document, Mark, parse, spelled


def faults(text: str) -> list[str]:
    return [f"{e.line}:{e.col} {e.message}" for e in parse(text, "f").errors]


def test_norway_is_no_boolean() -> None:
    data = parse("a: NO\nb: on\nc: 012\nd: 0o12\ne: 2026-01-01\nf: 1_000\ng: true\n", "f").data
    assert data == {
        "a": "NO",
        "b": "on",
        "c": 12,
        "d": 10,
        "e": "2026-01-01",
        "f": 1000,
        "g": True,
    }


def test_every_value_has_its_place() -> None:
    document = parse("a:\n  b: [1, {c: x}]\n", "f")
    assert document.marks["a", "b"] == Mark(key=(2, 3), value=(2, 6))
    assert document.marks["a", "b", 1, "c"] == Mark(key=(2, 11), value=(2, 14))


def test_double_keys_are_all_told() -> None:
    assert faults("a: 1\nb: {c: 1, c: 2}\na: 3\n") == [
        "2:11 the key 'c' stands twice (first on line 2)",
        "3:1 the key 'a' stands twice (first on line 1)",
    ]


def test_a_syntax_error_shows_a_caret_under_its_place() -> None:
    (error,) = parse("a: [1, 2\nb: 3\n", "f.yaml").errors
    assert (error.line, error.place) == (2, "f.yaml:2:2")
    shown, caret = error.snippet.splitlines()
    assert shown == "    2 | b: 3"
    assert shown[caret.index("^")] == ":"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a:\n\tb: 1\n", "tabs"),
        ("a: 1\n---\nb: 1\n", "one document"),
        ("a: 'x\n", "Mend the YAML"),
        ("a: *x\n", "Mend the YAML"),
    ],
)
def test_syntax_errors_have_a_next_step(text: str, word: str) -> None:
    (error,) = parse(text, "f").errors
    assert word in error.next_step
    assert error.line > 0


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "empty"),
        ("a: .nan\n", "finite"),
        ("a: -.inf\n", "finite"),
        ("1: x\n", "not text"),
        ("? [a]\n: x\n", "not text"),
        ("a: !!binary eA==\n", "tag"),
        ("a: !mine x\n", "tag"),
        ("a: \x01", "not YAML"),
        ("a: {<<: 3}\n", "`<<` needs a mapping"),
        ("x" * (4 << 20) + "x", "larger"),
    ],
)
def test_odd_values_are_faults(text: str, word: str) -> None:
    assert any(word in line for line in faults(text)), faults(text)


def test_merge_keys_add_what_is_not_there() -> None:
    text = "x-d: &d {p: 1, q: 2}\nx-e: &e {q: 3, r: 4}\na: {<<: [*d, *e], p: 0}\n"
    assert parse(text, "f").data["a"] == {"p": 0, "q": 2, "r": 4}


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]\n",
        "a: &a {<<: *a, b: 1}\n",
        "x0: &x0 [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"x{i}: &x{i} [{','.join([f'*x{i - 1}'] * 10)}]\n" for i in range(1, 12)),
        "a: " + "[" * 40 + "]" * 40 + "\n",
    ],
)
def test_bombs_of_aliases_are_bounded(text: str) -> None:
    assert sum("too often" in line for line in faults(text)) == 1


def test_a_path_is_spelled_as_it_is_written() -> None:
    assert spelled(("pools", "a", "endpoints", 0, "url")) == "pools.a.endpoints[0].url"


def test_a_fault_is_put_at_the_nearest_known_place() -> None:
    document = parse("a:\n  b: 1\n", "f")
    document.fault(("a", "zz", "y"), "m", "n")
    assert (document.errors[0].line, document.errors[0].col) == (1, 1)
    document.overrides["a", "b"] = "VAR"
    document.fault(("a", "b"), "m", "n", severity="warning")
    assert (document.errors[1].place, document.is_bad) == ("VAR", True)
    assert not Document(source="f").is_bad


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    document = parse(text, "f")
    assert document.data is not None or document.errors or text.strip()
