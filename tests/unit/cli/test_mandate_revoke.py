"""Is a revocation signed by its person, and of the right ids?"""

from pathlib import Path

from flyball.authority.mandates.attenuate import reading_of
from flyball.authority.revocation.revocation import Revocation, verify_event
from flyball.authority.revocation.signer import Signer
from support.mandatefiles import granted_file, key_file, run

PERSON = Signer.new("ann")


def test_a_signed_event_in_a_file(tmp_path: Path) -> None:
    path, out = granted_file(tmp_path), tmp_path / "event.json"
    done = run(
        "mandate", "revoke", "--mandate", path, "--human", "https://idp.example|anna", "--reason",
        "leak", "--key", key_file(tmp_path, PERSON), "--out", out,
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    event = verify_event(out.read_bytes().strip(), {"ann": PERSON.public}).event
    assert isinstance(event, Revocation) and event.by == "ann" and event.reason == "leak"
    assert event.ids == (reading_of(path.read_text().strip()).chain[-1],)
    assert event.subjects == ("human:https://idp.example|anna",)


def test_mistakes(tmp_path: Path) -> None:
    key = key_file(tmp_path, PERSON)
    done = run("mandate", "revoke", "--reason", "x", "--key", key)
    assert done.exit_code == 2 and "say what" in done.stderr
    done = run(
        "mandate", "revoke", "not hex", "--reason", "x", "--key", key, "--out", tmp_path / "e"
    )
    assert done.exit_code == 2 and not (tmp_path / "e").exists()
    closed = run(
        "mandate", "revoke", "ab", "--reason", "x", "--key", key, "--url", "http://127.0.0.1:1"
    )
    assert closed.exit_code == 2
