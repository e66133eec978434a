"""Does `list` show what was granted, and no secret?"""

from pathlib import Path

from support.mandatefiles import granted_file, run


def test_a_list(tmp_path: Path) -> None:
    register = tmp_path / "register.json"
    tokens = [
        granted_file(tmp_path, "--register", register, "--tenant", one).read_text().strip()
        for one in ("acme", "other")
    ]
    done = run("mandate", "list", "--register", register)
    assert done.exit_code == 0 and done.stdout.count("https://idp.example|anna") == 2
    assert "acme" in done.stdout and "8.0 h left" in done.stdout
    assert not any(token in register.read_text() for token in tokens)
    register.write_text("{}")
    broken = run("mandate", "list", "--register", register)
    assert broken.exit_code == 2 and "no register" in broken.stderr
