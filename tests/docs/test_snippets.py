"""Do the snippets of the README and the guide run as they stand?

Shell blocks of the quickstart, of replay, explain and engine are run from top to bottom against
real processes, on ports of this machine that are free; elsewhere each `flyball` line is parsed by
the command's own options. YAML is judged by `flyball check`, Python is run against a live gateway.
"""

import ast
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from msgspec import Struct
from ruamel.yaml import YAML

from flyball.cli import COMMANDS, main
from support.live import KEY, Live, live_fleet

ROOT = Path(__file__).parents[2]
GUIDE = sorted((ROOT / "docs" / "guide").glob("*.md"))
PAGES = [ROOT / "README.md", *GUIDE]
SHELL = ("", "sh", "bash", "shell")
QUICKSTART = ROOT / "docs" / "guide" / "quickstart.md"
# Shown, and tested on their own: they install, or take a minute.
NOT_RUN = ("pip install", "make ", "flyball demo")
# Run on the quickstart's fleet, after it.
RUN_AFTER_IT = ("replay.md", "explain.md", "engine.md")


class Snippet(Struct, frozen=True):
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets(page: Path) -> Iterator[Snippet]:
    text = page.read_text()
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Snippet(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])


ALL = [snippet for page in PAGES for snippet in snippets(page)]


def of(*languages: str) -> list[Snippet]:
    return [snippet for snippet in ALL if snippet.language in languages]


def flyball_lines(page: Path) -> Iterator[str]:
    """Every `flyball …` that a page tells to type: lines of shell blocks, and code in the text."""
    for snippet in snippets(page):
        if snippet.language in SHELL:
            whole = re.sub(r"\\\n\s*", "", snippet.text)  # a line that goes on is one
            yield from re.findall(r"^(flyball .*)$", whole, re.MULTILINE)
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`(flyball [a-z]+ [^`]*)`", prose)


def words(line: str) -> list[str]:
    """Of one simple command: without comments, redirections and what runs in the background."""
    parted = shlex.shlex(line, posix=True, punctuation_chars=True)
    parted.whitespace_split = True
    found = list(parted)
    ends = [i for i, word in enumerate(found) if word in ("&", "|", ">", ">>", "&&", ";")]
    return found[: ends[0]] if ends else found


def test_there_is_something_to_test() -> None:
    assert len(GUIDE) >= 5
    assert len(of("sh")) >= 10
    assert len(of("yaml")) >= 4
    assert len(of("python")) >= 2


@pytest.mark.parametrize("snippet", of(*SHELL), ids=str)
def test_shell_is_well_formed(snippet: Snippet) -> None:
    done = subprocess.run(["bash", "-n"], input=snippet.text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


LINES = [(page, line) for page in PAGES for line in flyball_lines(page)]


@pytest.mark.parametrize(("page", "line"), LINES, ids=lambda part: str(part)[-60:])
def test_each_command_line_is_one_that_the_command_takes(
    page: Path, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ledger").mkdir()  # which `--verify-log` wants to be there
    (tmp_path / "measurements").mkdir()
    (tmp_path / "requests.csv").touch()
    name, *rest = words(line)[1:]
    command = main.get_command(click.Context(main), name)
    assert command is not None, f"{page.name}: no command {name!r}"
    command.make_context(name, rest, parent=click.Context(main))


def test_a_wrong_option_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(click.NoSuchOption):
        test_each_command_line_is_one_that_the_command_takes(
            ROOT, "flyball serve f --wrokers 2 &", tmp_path, monkeypatch
        )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_readme_or_the_guide_tells_of_each_command(name: str) -> None:
    assert any(line.split()[1] == name for _, line in LINES)


def test_make_targets_and_extras_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"(?:^|`)make (\w+)", text, re.MULTILINE)) <= targets
        assert set(re.findall(r"flyball\[(\w+)\]", text)) <= set(project["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text())
    lost = [target for target in targets if not (page.parent / target).exists()]
    assert lost == []


def fleet_text() -> str:
    """The quickstart's fleet file."""
    found = re.search(r"cat > fleet\.yaml <<'EOF'\n(.*?)^EOF$", QUICKSTART.read_text(), re.M | re.S)
    assert found
    return found[1]


def merged(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    for key, value in part.items():
        is_section = isinstance(value, dict) and isinstance(whole.get(key), dict)
        whole[key] = merged(whole[key], value) if is_section else value
    return whole


@pytest.mark.parametrize("snippet", of("yaml"), ids=str)
def test_yaml_may_come_into_force(snippet: Snippet, tmp_path: Path) -> None:
    """A part is judged inside the quickstart's file."""
    yaml = YAML(typ="safe", pure=True)
    whole = merged(yaml.load(fleet_text()), yaml.load(snippet.text))
    path = tmp_path / "fleet.yaml"
    yaml.dump(whole, path)
    if master := whole.get("ledger", {}).get("master"):  # the page's own command makes one
        made = CliRunner().invoke(main, ["erase", "--new-master", str(tmp_path / master)])
        assert made.exit_code == 0, made.output
    result = CliRunner().invoke(main, ["check", str(path)])
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    # One pool by the name that the quickstart tells of, and a class that it uses.
    folder = tmp_path_factory.mktemp("live")
    with live_fleet(folder, {"edge-l4": "l4/llama-3.1-8b"}) as found:
        text = found.fleet_file.read_text()
        assert "classes: {chat: {value_usd: 0.01}}" in text
        found.fleet_file.write_text(
            text.replace("{chat: {value_usd: 0.01}}", "{chat: {value_usd: 0.01}, control: {}}")
        )
        found.processes["gateway"].send_signal(signal.SIGHUP)
        _wait_for_reload(folder / "gateway.log")
        yield found


def _wait_for_reload(log: Path) -> None:
    import time

    until = time.monotonic() + 10
    while "config-reloaded" not in log.read_text():
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.05)


@pytest.mark.parametrize("snippet", of("python"), ids=str)
def test_python_runs_against_a_live_gateway(snippet: Snippet, live: Live, tmp_path: Path) -> None:
    ast.parse(snippet.text)
    text = snippet.text.replace("http://127.0.0.1:8080", live.url)
    text, keys = re.subn(r'api_key="[^"]*"', f'api_key="{KEY}"', text)
    assert live.url in text and keys
    done = subprocess.run(
        [sys.executable, "-c", text + "\nassert client.models.list().data\n"],
        capture_output=True, text=True, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


# What a reader does between two lines: wait until the thing just started answers.
WAIT = """
up() { for _ in $(seq 200); do (exec 3<>/dev/tcp/127.0.0.1/"$1") 2>/dev/null && return 0
  sleep 0.05; done; echo "nothing listens at $1" >&2; return 1; }
"""


def script(pages: list[Path]) -> str:
    """The pages' shell and Python, in order, stopping at the first line that fails."""
    parts = ["set -euo pipefail", WAIT]
    for snippet in (snippet for page in pages for snippet in snippets(page)):
        if snippet.language == "python":
            parts.append(f"python - <<'END-OF-PYTHON'\n{snippet.text}END-OF-PYTHON")
        elif snippet.language == "sh":
            for line in snippet.text.splitlines():
                if line.startswith(NOT_RUN):
                    continue
                parts.append(line)
                if line.endswith(" &"):
                    port = re.search(r"--port (\d+)", line)
                    parts.append(f"up {port[1] if port else 8080}")
    return "\n".join(parts)


@pytest.mark.slow
def test_the_quickstart_and_what_follows_it_run_as_written(tmp_path: Path) -> None:
    text = script([QUICKSTART, *(ROOT / "docs" / "guide" / page for page in RUN_AFTER_IT)])
    # Other ports, and no port in the fleet file means 8080: so it is said on the command line.
    told = sorted(set(re.findall(r"\b8\d{3}\b", text)))
    assert told[0] == "8080"
    for port, free in zip(told, free_ports(len(told)), strict=True):
        text = re.sub(rf"\b{port}\b", str(free), text)
        if port == "8080":
            text = text.replace(
                "flyball serve fleet.yaml", f"flyball serve --port {free} fleet.yaml"
            )
            text = text.replace("flyball prices", f"flyball prices --url http://127.0.0.1:{free}")
            text = re.sub(
                r"(flyball replay trace\.csv)", rf"\1 --url http://127.0.0.1:{free}", text
            )
    place = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    with (tmp_path / "said").open("w+") as said:
        process = subprocess.Popen(
            ["bash", "-x"], stdin=subprocess.PIPE, stdout=said, stderr=said, text=True,
            cwd=tmp_path, env={**os.environ, "PATH": place}, start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdin
            process.stdin.write(text)
            process.stdin.close()
            code = process.wait(100)
        finally:
            _end(process.pid)
    output = (tmp_path / "said").read_text()
    assert code == 0, output
    assert "ok: 2 sites, 2 pools" in output
    assert "2 of 2 endpoints agree with it" in output
    assert "verified with" in output
    assert "lost 0" in output or "recorded" in output
    assert len((tmp_path / "answers.jsonl").read_text().splitlines()) == 3
    assert "Traceback" not in output


def _end(group: int) -> None:
    """What the script left running in the background, as a shell's user would at logout."""
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return
