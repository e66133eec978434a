"""Is what was granted kept whole, privately, and found by its opaque key?"""

from hashlib import sha256
from pathlib import Path

import pytest
from msgspec import structs

from flyball.serve.identity import register as module
from flyball.serve.identity.register import Entry, Register, RegisterError

T = 1_763_600_000.0
ENTRY = Entry(id="ab", human="i|s", by="root 1", at=T, expires_at=T + 9, root_key="1")


def test_kept_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    digest = sha256(b"sk-old").hexdigest()
    register = Register(path)
    register.add(ENTRY, T)
    register.add(structs.replace(ENTRY, id="cd", key_sha256=digest, token="sk-fly-x"), T)
    again = Register(path)
    assert [one.id for one in again.entries] == ["ab", "cd"]
    assert again.token_of("sk-old") == "sk-fly-x" == register.token_of("sk-old")
    assert again.token_of("sk-other") == "" and path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"]


def test_bounds_and_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    monkeypatch.setattr(module, "ENTRIES_MAX", 1)
    register = Register(path)
    register.add(ENTRY, T)
    with pytest.raises(RegisterError, match="full"):
        register.add(ENTRY, T)
    register.add(structs.replace(ENTRY, id="new"), T + 40 * 86_400)
    assert [one.id for one in register.entries] == ["new"]
    path.write_text("x")
    with pytest.raises(RegisterError, match="no register"):
        Register(path)
    with pytest.raises(RegisterError):
        Register(tmp_path / "none" / "r").add(ENTRY, T)
    with pytest.raises(RegisterError):
        Register(tmp_path)
