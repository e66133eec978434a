"""Does `inspect` say what a mandate allows, and whether that was verified?"""

import json
from pathlib import Path

from support.mandatefiles import TRUST, granted_file, run


def test_verified_or_not(tmp_path: Path) -> None:
    path = granted_file(tmp_path, "--operation", "chat", "--budget-usd", "1")
    plain = run("mandate", "inspect", path)
    assert plain.exit_code == 0 and plain.stdout.startswith("NOT VERIFIED")
    done = run("mandate", "inspect", path, *TRUST)
    assert done.exit_code == 0 and done.stdout.startswith("verified\n"), done.stderr
    assert "operations: chat" in done.stdout and "budgets usd: 1.0" in done.stdout
    assert path.read_text().strip() not in done.output
    page = json.loads(run("mandate", "inspect", path, *TRUST, "-o", "json").stdout)
    assert page["verified"] and page["human"] == "https://idp.example|anna"
    assert json.loads(run("mandate", "inspect", path, "-o", "json").stdout)["verified"] is False


def test_refused(tmp_path: Path) -> None:
    path = granted_file(tmp_path)
    text = path.read_text().strip()
    path.write_text(text[:60] + ("A" if text[60] != "A" else "B") + text[61:])
    done = run("mandate", "inspect", path, *TRUST)
    assert done.exit_code == 1 and "mandate_" in done.stderr and text[7:40] not in done.output
    for bad in ("1=x", "one=x"):
        assert run("mandate", "inspect", path, "--root", bad).exit_code == 2
