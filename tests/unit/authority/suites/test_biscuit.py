"""Does the suite pass what agrees with its samples, and name each kind of disagreement?"""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from biscuit_auth import Biscuit, BiscuitBuilder, BlockBuilder, KeyPair

from support.mandatefiles import run

ROOT, THIRD = KeyPair(), KeyPair()


def tokens() -> dict[str, Biscuit]:
    plain = BiscuitBuilder('right("file1", "read");').build(ROOT.private_key)
    checked = plain.append(BlockBuilder('check if operation("read");'))
    block = plain.third_party_request().create_block(THIRD.private_key, BlockBuilder("group(1);"))
    return {
        "checked": checked, "third": plain.append_third_party(THIRD.public_key, block),
        "foreign": BiscuitBuilder('right("x");').build(KeyPair().private_key),
    }  # fmt: skip


def sample(name: str, token: Biscuit, code: str, result: Any, keys: list[Any]) -> dict[str, Any]:
    return {
        "title": name, "filename": f"{name}.bc",
        "token": [{"external_key": key} for key in keys],
        "validations": {
            "": {"authorizer_code": code, "result": result, "revocation_ids": token.revocation_ids}
        },
    }  # fmt: skip


def failing(block: int, check: int) -> dict[str, Any]:
    where = {"Block": {"block_id": block, "check_id": check, "rule": ""}}
    return {"Err": {"FailedLogic": {"Unauthorized": {"policy": {"Allow": 0}, "checks": [where]}}}}


@pytest.fixture
def suite(tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    made = tokens()
    for name, token in made.items():
        (tmp_path / f"{name}.bc").write_bytes(bytes(token.to_bytes()))
    third = str(THIRD.public_key)
    samples = [
        sample("checked", made["checked"], 'operation("read"); allow if true;', {"Ok": 0},
               [None, None]),
        sample("third", made["third"], "check if group(1) trusting " + third + "; allow if true;",
               {"Ok": 0}, [None, third]),
        sample("foreign", made["foreign"], "", {"Err": {"Format": {"Signature": "x"}}}, []),
    ]  # fmt: skip
    samples[0]["validations"]["no"] = {
        "authorizer_code": "allow if true;", "result": failing(1, 0), "revocation_ids": [],
    }  # fmt: skip
    page = {"root_public_key": bytes(ROOT.public_key.to_bytes()).hex(), "testcases": samples}
    return tmp_path, page


def judged(folder: Path, page: dict[str, Any]) -> tuple[int, str]:
    (folder / "samples.json").write_text(json.dumps(page))
    done = run("conformance", "biscuit", folder)
    return done.exit_code, done.stdout


def test_all_agree(suite: tuple[Path, dict[str, Any]]) -> None:
    assert judged(*suite) == (0, "6 passed, 0 failed\n")


def test_each_disagreement_is_named(suite: tuple[Path, dict[str, Any]]) -> None:
    folder, page = suite
    first = ("testcases", 0, "validations", "")
    for path, value, words in (
        ((*first, "result"), {"Ok": 1}, "allowed, but"),
        ((*first, "result"), failing(1, 0), "allowed, but"),
        ((*first, "result"), {"Err": {"Format": {}}}, "accepted, but"),
        ((*first, "revocation_ids"), ["00"], "revocation ids"),
        ((*first, "authorizer_code"), "allow if true;", "must be allowed"),
        (("testcases", 0, "validations", "no", "result"), failing(0, 3), "other checks"),
        (("testcases", 1, "token"), [{"external_key": None}] * 2, "other keys"),
        (("testcases", 2, "validations", "", "result"), {"Ok": 0}, "refused, but"),
        (("testcases", 2, "filename"), "none.bc", "missing"),
    ):
        changed = copy.deepcopy(page)
        at = changed
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value
        code, text = judged(folder, changed)
        assert code == 1 and words in text, (path, text)
