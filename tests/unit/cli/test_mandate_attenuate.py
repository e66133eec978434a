"""Does `attenuate` narrow offline, refuse more, and hand over what is bound?"""

import time
from pathlib import Path

from support.mandatefiles import granted_file, key_file, run
from support.mandates import Signer, jkt, verifier


def test_narrower_from_a_file_and_from_stdin(tmp_path: Path) -> None:
    path = granted_file(tmp_path, "--operation", "chat", "--operation", "embed")
    done = run("mandate", "attenuate", path, "--agent", "a", "--operation", "chat", "--depth", "1")
    assert done.exit_code == 0, done.stderr
    again = run("mandate", "attenuate", "-", "--agent", "b", "--for", "5m", typed=done.stdout)
    mandate = verifier().verify(again.stdout.strip(), time.time())
    assert mandate.delegates == ("a", "b") and mandate.operations == ("chat",)
    assert mandate.expires_at <= time.time() + 300 and mandate.depth_left == 0


def test_more_is_refused_without_showing_the_token(tmp_path: Path) -> None:
    path = granted_file(tmp_path, "--operation", "chat")
    done = run("mandate", "attenuate", path, "--operation", "admin")
    assert done.exit_code == 1 and "mandate_widened" in done.stderr and "admin" in done.stderr
    assert path.read_text().strip()[7:40] not in done.output
    missing = run("mandate", "attenuate", tmp_path / "none")
    assert missing.exit_code == 2 and "cannot be read" in missing.stderr


def test_bound_to_a_key(tmp_path: Path) -> None:
    one, two = Signer.new("one"), Signer.new("two")
    path = granted_file(tmp_path, "--holder", jkt(one))
    wanted = ("mandate", "attenuate", path, "--agent", "two", "--holder", jkt(two))
    assert "--signing-key" in run(*wanted).stderr
    done = run(*wanted, "--signing-key", key_file(tmp_path, one))
    assert verifier().verify(done.stdout.strip(), time.time(), jkt(two)).holder == jkt(two)
