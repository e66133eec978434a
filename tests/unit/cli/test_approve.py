"""Does a person see what they approve, and does it count once behind the right mandate?"""

import time
from pathlib import Path

from support.mandatefiles import granted_file, key_file, run
from support.mandates import APPROVER, verifier


def test_from_request_to_mandate(tmp_path: Path) -> None:
    path = granted_file(tmp_path)
    asked = run(
        "mandate", "request-approval", path, "--action", '{"tool": "pay"}', "--folder", tmp_path
    )
    wanted = (
        "approve",
        asked.stdout.strip(),
        "--key",
        key_file(tmp_path, APPROVER),
        "--folder",
        tmp_path,
    )
    no = run(*wanted, typed="n\n")
    assert no.exit_code == 1 and "tool: 'pay'" in no.stderr
    done = run(*wanted, typed="y\n")
    assert done.exit_code == 0, done.stderr
    behind = run("mandate", "attenuate", path, "--approval", done.stdout.strip())
    mandate = verifier().verify(behind.stdout.strip(), time.time())
    assert [one.by for one in mandate.approvals] == ["ann"]


def test_mistakes(tmp_path: Path) -> None:
    key = key_file(tmp_path, APPROVER)
    for text, code in (("xyz", 2), ("0" * 16, 2), ("0" * 64, 2)):
        done = run("approve", text, "--key", key, "--folder", tmp_path, "--yes")
        assert done.exit_code == code and "Traceback" not in done.output
    path = granted_file(tmp_path)
    asked = run("mandate", "request-approval", path, "--action", "{}", "--folder", tmp_path)
    other = asked.stdout.strip() + "0" * 48
    assert run("approve", other, "--key", key, "--folder", tmp_path, "--yes").exit_code == 2
    assert run("approve", asked.stdout.strip(), "--folder", tmp_path, "--yes").exit_code == 2
