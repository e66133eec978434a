"""Is a person's key found, kept to themselves, and every fault of a door told in plain words?"""

import http.server
import threading
from pathlib import Path

import click
import pytest

from flyball.cli.oversight_call import Door, signer
from support.doors import the_door
from support.oversight import ADA


def key(folder: Path, mode: int = 0o600, text: str = ADA.private_text()) -> Path:
    path = folder / "ada.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_the_site_is_asked_once(tmp_path: Path) -> None:
    with the_door(tmp_path) as door:
        caller = Door(door.url, key(tmp_path))
        assert (caller.site, caller.signer.name) == ("north", "ada")
        assert caller.call("GET", "/flyball/oversight")["you"]["role"] == "admin"


@pytest.mark.parametrize(
    ("mode", "text", "told"),
    [(0o640, ADA.private_text(), "chmod 600"), (0o600, "x", "no key file")],
)
def test_a_key_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: int, text: str, told: str
) -> None:
    with pytest.raises(SystemExit) as end:
        signer(key(tmp_path, mode, text))
    assert end.value.code == 2
    err = capsys.readouterr().err
    assert told in err and "ed25519" not in err, "no key is ever shown"


def test_no_key_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.UsageError, match="FLYBALL_PERSON_KEY"):
        signer(None)
    with pytest.raises(SystemExit):
        signer(tmp_path / "none")
    assert "new-key" in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"[]", b"<html>", b""])
def test_another_server_is_no_door(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: bytes
) -> None:
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(SystemExit) as end:
            Door(f"http://127.0.0.1:{server.server_port}", key(tmp_path)).call("GET", "/x")
    finally:
        server.shutdown()
        server.server_close()
    assert end.value.code == 2 and "--url" in capsys.readouterr().err
