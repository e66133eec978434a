"""Does `flyball check` tell all faults, and exit 0, 1 or 2?"""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from flyball.cli import main
from support.configs import ENV, FLEET, changed


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def check(*arguments: str, env: dict[str, str] = ENV) -> Result:
    unset = {"BIG_KEY": None, "ANN_KEY": None}
    return CliRunner().invoke(main, ["check", *arguments], env={**unset, **env})


def test_a_good_file_is_ok(file: Path) -> None:
    found = check(str(file))
    assert found.exit_code == 0, found.output
    assert "ok: 2 sites, 2 pools, 2 endpoints, 2 classes, 1 principal, 0 warnings" in found.stdout


def test_a_bad_file_tells_all_faults_and_exits_1(file: Path) -> None:
    file.write_text(changed(("site: near", "site: naer"), ("rtt_ms: 95", "rtt: 95")))
    found = check(str(file))
    assert found.exit_code == 1
    assert f"{file}:7:11: error: pools.small.site" in found.stdout
    assert f"{file}:4:27: error: sites.far.rtt: unknown key 'rtt'" in found.stdout
    assert found.stderr == "2 errors, 0 warnings\n"


def test_a_missing_file_exits_2(tmp_path: Path) -> None:
    found = check(str(tmp_path / "no.yaml"))
    assert (found.exit_code, found.stdout) == (2, "")
    assert "cannot read" in found.stderr
    assert check(str(tmp_path)).exit_code == 2


def test_json_has_the_faults_with_their_places(file: Path) -> None:
    file.write_text(changed(("site: near", "site: naer")))
    found = check(str(file), "-o", "json")
    told = json.loads(found.stdout)
    assert (found.exit_code, told["ok"]) == (1, False)
    (fault,) = told["faults"]
    assert (fault["line"], fault["col"], fault["path"]) == (7, 11, "pools.small.site")
    file.write_text(FLEET)
    told = json.loads(check(str(file), "-o", "json").stdout)
    assert (told["ok"], len(told["digest"])) == (True, 64)


def test_secrets_may_be_absent_elsewhere(file: Path) -> None:
    assert check(str(file), env={}).exit_code == 1
    found = check(str(file), "--without-env", env={})
    assert found.exit_code == 0
    assert "warning: principals.ann.key_env" in found.stdout


def test_live_says_what_is_not_there(file: Path) -> None:
    file.write_text(changed(("127.0.0.1:8101", "127.0.0.1:1"), ("127.0.0.1:8102", "127.0.0.1:2")))
    found = check(str(file), "--live")
    assert found.exit_code == 1
    assert "small-0: not reachable at http://127.0.0.1:1" in found.stdout
    assert "0 of 2 endpoints agree" in found.stdout
    assert "asking 2 endpoints" in found.stderr
