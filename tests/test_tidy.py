"""Is the house in order: sizes, first lines, names, matching tests, nothing dead, layers kept?

Each rule has its reason beside it. What breaks one is named, with its place.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "flyball"
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_MEDIAN_MAX = 12
LINE_CHARS_MAX = 100

# A name must say what a thing is; these words fit anything.
FORBIDDEN_WORDS = {"manager", "handler", "helper", "util", "utils", "service", "processor"}
# Set by an interface that is not ours.
NAMES_OF_OTHERS: set[str] = set()

# Sources without a unit test of their own: where they are tested. A key ending in "/" is a folder.
TESTED_ELSEWHERE = {
    "units.py": "tests/unit/serve/config/test_build.py",
    "__main__.py": "tests/process",  # processes are started as `python -m flyball`
    "governor/": "tests/playbooks",  # the core has one door: events in, commands out
}
# Unit tests of more than one source.
TESTS_OF_SEVERAL = {"dialects/test_clients.py"}
# Places of one machine and hosts of package indexes have no business in a repository. Spelled in
# parts, so that this file passes its own check.
BANNED_STRINGS = (
    "/" + "work/",
    "/" + "root/",
    "/" + "home/",
    ".lib" + "rary",
    "py" + "pi.org",
    "files.python" + "hosted.org",
)
TEXT_SUFFIXES = {".py", ".md", ".toml", ".yaml", ".yml", ".json", ".txt", ".c", ".sh", ""}


@cache
def files(*folders: str) -> tuple[Path, ...]:
    return tuple(
        sorted(
            file for folder in folders for file in (ROOT / folder).rglob("*.py") if file.is_file()
        )
    )


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT))


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the repository; without git, every file that git would not ignore by name."""
    done = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    found = [ROOT / line for line in done.stdout.splitlines()]
    return tuple(file for file in found if file.is_file() and file.suffix in TEXT_SUFFIXES)


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


ALL = files("src", "tests", "bench", "docs")


@pytest.mark.parametrize("file", ALL, ids=name)
def test_a_file_is_short_and_says_what_it_answers(file: Path) -> None:
    text = file.read_text()
    lines = text.splitlines()
    assert len(lines) <= FILE_LINES_MAX, f"{len(lines)} lines"
    wide = [i for i, line in enumerate(lines, 1) if len(line) > LINE_CHARS_MAX]
    assert not wide, f"lines longer than {LINE_CHARS_MAX}: {wide}"
    first = (ast.get_docstring(tree(file)) or "").split("\n")[0]
    assert re.search(r"[.?!:]( \(.*\))?$", first), (
        f"the first line is no sentence or question: {first!r}"
    )
    long = [
        f"{f.name} ({lines_of(f)})" for f in functions(file) if lines_of(f) > FUNCTION_LINES_MAX
    ]
    assert not long, f"functions longer than {FUNCTION_LINES_MAX} lines: {long}"


def test_most_functions_are_very_short() -> None:
    sizes = sorted(lines_of(one) for file in files("src") for one in functions(file))
    assert sizes[len(sizes) // 2] <= FUNCTION_LINES_MEDIAN_MAX


def defined_names(file: Path) -> Iterator[tuple[str, int]]:
    """Every name that a file gives to something of its own."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno


def words(identifier: str) -> set[str]:
    """`RequestHandler`, `request_handler` -> {request, handler}."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", identifier)
    return set(parted.lower().split("_"))


@pytest.mark.parametrize("file", files("src", "bench"), ids=name)
def test_no_name_fits_anything(file: Path) -> None:
    found = [
        f"line {line}: {identifier}"
        for identifier, line in defined_names(file)
        if words(identifier) & FORBIDDEN_WORDS and identifier not in NAMES_OF_OTHERS
    ]
    assert not found
    assert not words(file.stem) & FORBIDDEN_WORDS


def unit_test_of(file: Path) -> Path:
    place = file.relative_to(SOURCE)
    return ROOT / "tests" / "unit" / place.parent / f"test_{place.name}"


def needs_a_test(file: Path) -> bool:
    """Plain data, and a package that only names things, have no behaviour to test."""
    return any(functions(file))


def is_tested_elsewhere(file: Path) -> bool:
    place = file.relative_to(SOURCE).as_posix()
    return any(
        place == key or (key.endswith("/") and place.startswith(key)) for key in TESTED_ELSEWHERE
    )


@pytest.mark.parametrize("file", [f for f in files("src") if needs_a_test(f)], ids=name)
def test_each_source_file_has_its_test(file: Path) -> None:
    if not is_tested_elsewhere(file):
        assert unit_test_of(file).exists(), f"write {name(unit_test_of(file))}"


@pytest.mark.parametrize(("place", "tests"), TESTED_ELSEWHERE.items())
def test_no_exception_is_stale(place: str, tests: str) -> None:
    assert (ROOT / tests).exists()
    source = SOURCE / place
    assert source.exists()
    below = [file for file in source.rglob("*.py") if needs_a_test(file)] or [source]
    assert not all(unit_test_of(file).exists() for file in below), "all have tests: take it off"


def test_each_unit_test_has_its_source() -> None:
    lost = []
    for file in files("tests/unit"):
        place = file.relative_to(ROOT / "tests" / "unit")
        source = SOURCE / place.parent / place.name.removeprefix("test_")
        if place.name.startswith("test_") and place.as_posix() not in TESTS_OF_SEVERAL:
            lost += [] if source.exists() else [name(file)]
    assert not lost


def mentions(file: Path) -> Iterator[str]:
    """Every identifier that a file uses: names read, attributes, imports, words in strings."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant):
            yield from re.findall(r"[A-Za-z_]\w*", str(node.value)[:80])


@cache
def used() -> frozenset[str]:
    """Names used anywhere at all."""
    everywhere = files("src", "tests", "bench", "docs")
    return frozenset(word for file in everywhere for word in mentions(file))


def top_level(file: Path) -> Iterator[tuple[str, int]]:
    for node in tree(file).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((one.id, node.lineno) for one in targets if isinstance(one, ast.Name))


def is_command(file: Path, identifier: str) -> bool:
    """`flyball.cli` looks commands up by file; entry points stand in pyproject.toml."""
    return file.parent.name == "cli" and identifier in ("command", "main")


@pytest.mark.parametrize("file", files("src"), ids=name)
def test_nothing_is_dead(file: Path) -> None:
    dead = [
        f"line {line}: {identifier}"
        for identifier, line in top_level(file)
        if identifier not in used()
        and not identifier.startswith("__")
        and not is_command(file, identifier)
    ]
    assert not dead


@pytest.mark.parametrize("file", tracked(), ids=name)
def test_a_file_knows_no_machine(file: Path) -> None:
    text = file.read_text(errors="replace")
    found = [word for word in BANNED_STRINGS if word in text]
    assert not found


def test_the_changelog_has_its_form() -> None:
    """Newest first; `## [VERSION] - DATE` or `## [Unreleased]`; known kinds of change only."""
    text = (ROOT / "CHANGELOG.md").read_text()
    assert text.startswith("# Changelog\n")
    heads = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heads
    for head in heads:
        assert re.fullmatch(r"\[(Unreleased|\d+\.\d+\.\d+)\]( - \d{4}-\d{2}-\d{2})?", head), head
    kinds = set(re.findall(r"^### (.*)$", text, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    versions = [
        tuple(map(int, number.split(".")))
        for number in re.findall(r"^## \[(\d[\d.]*)\]", text, re.M)
    ]
    assert versions == sorted(versions, reverse=True)


def test_the_layers_are_kept() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
