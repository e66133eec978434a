"""Does a request for approval hold the action and no token?"""

import json
from pathlib import Path

from support.mandatefiles import granted_file, run


def test_a_request(tmp_path: Path) -> None:
    path = granted_file(tmp_path)
    done = run(
        "mandate", "request-approval", path, "--action", '{"tool": "pay"}', "--folder", tmp_path
    )
    assert done.exit_code == 0, done.stderr
    text = (tmp_path / f"{done.stdout.strip()}.request.json").read_text()
    assert json.loads(text)["action"] == {"tool": "pay"}
    assert path.read_text().strip()[7:40] not in text and "sk-fly" not in text


def test_mistakes(tmp_path: Path) -> None:
    path = granted_file(tmp_path)
    for action, code in (("pay", 2), ("[1]", 2), ('{"x": NaN}', 1)):
        done = run("mandate", "request-approval", path, "--action", action, "--folder", tmp_path)
        assert done.exit_code == code, done.output
    done = run("mandate", "request-approval", path, "--action", "{}", "--folder", tmp_path / "none")
    assert done.exit_code == 2 and "cannot be written" in done.stderr
