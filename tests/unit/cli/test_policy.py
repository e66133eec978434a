"""Do `flyball policy check|test|explain|diff` answer, with places, next steps and exit codes?"""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from flyball.model.decision import Warrant
from flyball.serve.log.store import LedgerStore
from support import records
from support.policies import EXAMPLE, PERMIT

FLEET = """version: v1
sites:
  paris: {jurisdiction: FR}
  ohio: {jurisdiction: US}
pools:
  h100-paris: {site: paris, engine: vllm, profile: h100/llama-3.1-8b, models: [llama-3.1-8b],
    endpoints: ["http://127.0.0.1:8101"]}
  h100-ohio: {site: ohio, engine: vllm, profile: h100/llama-3.1-8b, models: [llama-3.1-8b],
    endpoints: ["http://127.0.0.1:8102"]}
classes:
  chat: {value_usd: 0.01, ttft_ms: 500}
"""
HOME = PERMIT + (
    '@id("home") @owner("dpo@example.org")\n'
    'forbid(principal, action, resource) unless { resource in Jurisdiction::"FR" };\n'
)
ENTITIES = '[{"uid": {"type": "Jurisdiction", "id": "FR"}}]'


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["policy", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture
def world(tmp_path: Path) -> Path:
    for name, text in (("old", PERMIT), ("new", HOME)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.cedar").write_text(text)
        (tmp_path / name / "entities.json").write_text(ENTITIES)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    store = LedgerStore(tmp_path / "log")
    for number in range(6):
        pool = "h100-ohio" if number % 3 == 0 else "h100-paris"
        warrant = Warrant(chain=("aa", "bb"), human="bob", actor="scribe")
        changes: dict[str, Any] = {"warrant": warrant} if number == 3 else {}
        store.append(records.intent(number, pool=pool, **changes))
    store.append(records.refusal(7, "policy_denied"))
    store.append(records.refusal(8, "price_above_value"))
    store.append(records.intent(9, pool="gone"))
    assert store.close() == 0
    return tmp_path


def test_check_the_worked_example() -> None:
    result = run("check", EXAMPLE)
    assert result.exit_code == 0
    assert re.fullmatch(
        r"ok: 10 policies, 7 of them static; 9 entities; sha256:[0-9a-f]{64}\n", result.stdout
    )
    told = json.loads(run("check", EXAMPLE, "-o", "json").stdout)
    assert told["ok"] and told["policies"][0] == {"id": "people-and-agents", "effect": "permit"}


def test_check_tells_every_fault_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "bad.cedar"
    file.write_text(
        PERMIT + 'forbid(principal, action, resource) when { context.dataClas == "x" };'
    )
    result = run("check", file)
    assert result.exit_code == 1
    assert f"{file}:2:52: attribute `dataClas` in context not found" in result.stdout
    assert "Did you mean 'dataClass'?" in result.stdout and "1 to correct" in result.stderr
    told = json.loads(run("check", file, "-o", "json").stdout)
    assert (told["ok"], told["faults"][0]["line"], told["faults"][0]["col"]) == (False, 2, 52)


def test_check_remarks_do_not_fail(tmp_path: Path) -> None:
    file = tmp_path / "a.cedar"
    file.write_text("permit(principal, action, resource);")
    result = run("check", file)
    assert result.exit_code == 0 and "remark: " in result.stdout and "no @id" in result.stdout


def test_test_the_worked_example() -> None:
    result = run("test", EXAMPLE)
    assert (result.exit_code, result.stdout) == (0, "19 passed, 0 failed\n")


def test_a_failed_test_shows_the_difference(tmp_path: Path) -> None:
    tests = tmp_path / "more.yaml"
    tests.write_text(
        "tests:\n  - name: anything goes\n    expect: allow\n    policies: [people-and-agents]\n"
    )
    result = run("test", EXAMPLE, "--tests", tests)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "FAILED anything goes",
        "    expected allow, but it is deny (approved-models)",
        "    policies: -people-and-agents +approved-models",
        "0 passed, 1 failed",
    ]
    told = json.loads(run("test", EXAMPLE, "--tests", tests, "-o", "json").stdout)
    assert (told["passed"], told["failed"]) == (0, 1)


def test_explain_a_question(tmp_path: Path) -> None:
    facts = ("--set", "subject.data_class=personal", "--set", "subject.data_home=NO")
    result = run("explain", EXAMPLE, *facts, "--set", "subject.model=llama-3.1-8b")
    assert result.exit_code == 1
    assert "forbid residency (GDPR Art. 44) decided" in result.stdout
    assert "owner  privacy@example.org" in result.stdout
    file = tmp_path / "q.yaml"
    file.write_text("subject: {model: llama-3.1-8b}\nplace: {jurisdiction: NO}\n")
    assert run("explain", EXAMPLE, "--question", file).exit_code == 0
    dear = ("--set", "circumstances.cost_micro_usd=600000")
    told = run("explain", EXAMPLE, "--question", file, *dear, "-o", "json")
    found = json.loads(told.stdout)
    assert found["question"]["circumstances"]["cost_micro_usd"] == 600000
    assert found["explanation"]["sets"][0]["rules"][0]["id"] == "cost-ceiling"


def test_the_guide_shows_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    root = EXAMPLE.parents[1]
    monkeypatch.chdir(root)
    example = Path("examples", "policy")
    result = run("explain", example, "--question", example / "question.yaml")
    assert result.exit_code == 1
    assert f"```text\n{result.stdout}```" in (root / "docs" / "guide" / "policy.md").read_text()
    assert (
        run(
            "explain",
            example,
            "--question",
            example / "question.yaml",
            "--set",
            "place.jurisdiction=NO",
        ).exit_code
        == 0
    )


def test_explain_a_record(world: Path) -> None:
    at = ("--log", world / "log", "--fleet", world / "fleet.yaml")
    denied = run("explain", world / "new", "--id", records.intent(3).id, *at)
    assert denied.exit_code == 1 and "forbid home decided" in denied.stdout
    assert "resource = h100-ohio in US" in denied.stdout
    assert run("explain", world / "new", "--id", records.intent(1).id, *at).exit_code == 0
    unknown = run("explain", world / "new", "--id", records.intent(1).id + "x", *at)
    assert unknown.exit_code == 2 and "Nearest: req_" in unknown.stderr


def test_diff_counts_what_changes(world: Path) -> None:
    at = ("--records", world / "log", "--fleet", world / "fleet.yaml")
    result = run("diff", world / "old", world / "new", *at)
    assert result.exit_code == 1
    assert "7 requests asked: 2 newly denied, 0 newly allowed" in result.stdout
    assert re.search(
        r"newly denied +1  chat, llama-3.1-8b, alice at h100-ohio: home", result.stdout
    )
    assert "llama-3.1-8b, scribe at h100-ohio: home" in result.stdout
    assert records.intent(0).id in result.stdout
    assert "1 left out" in result.stderr and "no approvals" in result.stderr
    same = run("diff", world / "new", world / "new", *at)
    assert same.exit_code == 0 and "0 newly denied" in same.stdout
    told = json.loads(run("diff", world / "old", world / "new", *at, "-o", "json").stdout)
    assert (told["unknown"], told["comparison"]["newly_denied"]) == (1, 2)


def test_diff_tells_what_was_refused_and_would_be_allowed(world: Path) -> None:
    (world / "old" / "a.cedar").write_text('@id("x") permit(principal is Loop, action, resource);')
    at = ("--records", world / "log", "--fleet", world / "fleet.yaml")
    result = run("diff", world / "old", world / "new", *at, "--since", "2.5")
    assert result.exit_code == 1
    assert "newly allowed" in result.stdout and records.refusal(7).id in result.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "nowhere.cedar"), "cannot read nowhere.cedar"),
        (("check", "{}/fleet.yaml"), "no .cedar file"),
        (("check", "{}/old", "{}/new"), "entities stand in"),
        (("test", "{}/old"), "no tests: name them with --tests"),
        (("explain", "{}/old"), "Give a question"),
        (("explain", "{}/old", "--set", "x"), "write it as subject.data_class=personal"),
        (("explain", "{}/old", "--set", "subject.modell=x"), "Did you mean 'model'?"),
        (("explain", "{}/old", "--id", "x"), "give --fleet FILE"),
        (("explain", "{}/old", "--id", "x", "--set", "a.b=c"), "Give --id, or"),
        (("diff", "{}/old", "{}/new", "--records", "{}/log"), "give --fleet FILE"),
        (
            ("diff", "{}/old", "{}/new", "--records", "{}/old", "--fleet", "{}/fleet.yaml"),
            "There is no log",
        ),
        (
            ("diff", "{}/old", "{}/new", "--records", "{}/log", "--fleet", "{}/old/a.cedar"),
            "the fleet file cannot be used",
        ),
        (
            ("diff", "{}/old", "{}/new", "--records", "{}/log", "--fleet", "{}/nowhere"),
            "cannot read",
        ),
    ],
)
def test_mistakes_are_told_without_a_traceback(
    world: Path, arguments: tuple[str, ...], told: str
) -> None:
    result = run(*(one.replace("{}", str(world)) for one in arguments))
    assert result.exit_code == 2 and told in result.stderr, result.output


def test_a_mistake_in_a_tests_file_has_its_place(tmp_path: Path) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text("tests:\n  - expect: allow\n    subjekt: {}\n")
    result = run("test", EXAMPLE, "--tests", file)
    assert result.exit_code == 2
    assert f"{file}:3:5" in result.stderr and "Did you mean 'subject'?" in result.stderr


def test_faulty_policies_are_a_no_to_every_command(world: Path) -> None:
    (world / "old" / "a.cedar").write_text("permit(principal, acton, resource);")
    for arguments in (("test", world / "old"), ("explain", world / "old", "--set", "a.b=c")):
        result = run(*arguments)
        assert result.exit_code == 1 and "Did you mean 'action'?" in result.stderr


def test_without_the_engine_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("flyball.authority")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cedarpy", None)
    result = run("check", EXAMPLE)
    assert result.exit_code == 2
    assert "pip install 'flyball[serve]'" in result.stderr
