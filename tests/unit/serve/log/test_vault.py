"""Does destroying a subject's keys destroy all that was sealed, theirs alone, whatever kills us?"""

import os
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from flyball.ledger.verify import check_log
from flyball.serve.log.reader import files_in
from flyball.serve.log.store import LedgerStore
from flyball.serve.log.vault import ERASED, Vault, month_of, read_master
from flyball.serve.log.writer import LedgerError
from support import records
from support.records import T0

MASTER = bytes(range(32))
NEXT_MONTH = T0 + 31 * 86_400


def vault_in(folder: Path) -> Vault:
    return Vault(folder / "vault", MASTER)


def test_what_is_sealed_is_opened_again_and_nothing_is_on_the_disk(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.seal("mari", T0, "req_1", "prompt", b"my secret")
    assert vault_in(tmp_path).open("mari", T0, "req_1", "prompt") == b"my secret"
    for path in tmp_path.rglob("*"):
        assert "mari" not in str(path)
        assert not path.is_file() or b"secret" not in path.read_bytes()


def test_commitments_bind_subject_month_part_and_text(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    made = {
        vault.commit(who, at, part, text)
        for who in ("mari", "olav")
        for at in (T0, NEXT_MONTH)
        for part in ("prompt", "answer")
        for text in (b"", b"yes")
    }
    assert len(made) == 16 and all(len(one) == 64 for one in made)
    assert vault_in(tmp_path).commit("mari", T0, "prompt", b"yes") in made


def test_after_erasure_nothing_decrypts_and_the_tree_still_verifies(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    store = LedgerStore(tmp_path / "log")
    for number in range(300):
        it = records.intent(number)
        who = ("mari", "olav")[number % 2]
        vault.seal(who, it.at, it.id, "prompt", b"text")
        store.append(it)
        store.append(records.outcome(it))
        commitment = vault.commit(who, it.at, "prompt", b"text")
        store.append(records.commitment(it, subject=vault.tag(who), prompt=commitment))
    keys = {path: path.read_bytes() for path in (tmp_path / "vault").rglob("*.key")}
    assert vault.erase("mari") == ("2025-11",)
    store.append(records.erasure(subject=vault.tag("mari"), months=("2025-11",)))
    assert store.close() == 0
    for number in range(0, 300, 2):
        it = records.intent(number)
        with pytest.raises(LedgerError, match="were destroyed"):
            vault_in(tmp_path).open("mari", it.at, it.id, "prompt")
    assert vault.open("olav", T0 + 1, records.intent(1).id, "prompt") == b"text"
    left = list((tmp_path / "vault").rglob("*.key"))
    assert len(left) == 1 and len(keys) == 2
    with pytest.raises(LedgerError, match="were destroyed"):
        vault.seal("mari", T0, "req_x", "prompt", b"late")
    assert check_log(files_in(tmp_path / "log")).is_sound
    assert vault.erase("mari") == ("2025-11",) and vault.erase("nobody") == ()


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_an_id_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LedgerError, match="no id of a record"):
        vault_in(tmp_path).seal("mari", T0, name, "prompt", b"")


def test_a_flipped_byte_in_any_file_is_found(tmp_path: Path) -> None:
    vault = vault_in(tmp_path)
    vault.seal("mari", T0, "req_1", "prompt", b"my secret")
    for path in [one for one in tmp_path.rglob("*") if one.is_file()]:
        good = path.read_bytes()
        for place in range(len(good)):
            path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
            with pytest.raises(LedgerError, match=r"not what was sealed|cannot be unwrapped"):
                vault.open("mari", T0, "req_1", "prompt")
        path.write_bytes(good)
    with pytest.raises(LedgerError, match="No answer of req_1"):
        vault.open("mari", T0, "req_1", "answer")
    with pytest.raises(LedgerError, match="no key of that subject"):
        vault.open("olav", T0, "req_1", "prompt")


def test_a_kill_at_any_call_to_the_disk_is_made_good_by_erasing_again(tmp_path: Path) -> None:
    number, home = 0, tmp_path
    while True:
        number += 1
        home = tmp_path / str(number)
        for at in (T0, NEXT_MONTH):
            vault_in(home).seal("mari", at, "req_1", "prompt", b"x")
        child = os.fork()
        if not child:
            turn = count(1)
            for name in ("pwrite", "fsync", "replace", "open", "unlink"):
                real = getattr(os, name)

                def call(*args: Any, _real: Any = real, **more: Any) -> Any:
                    if next(turn) == number:  # noqa: B023 - the child never sees another turn
                        os.kill(os.getpid(), signal.SIGKILL)
                    return _real(*args, **more)

                setattr(os, name, call)
            vault_in(home).erase("mari")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert vault_in(home).erase("mari") == (month_of(T0), month_of(NEXT_MONTH))
        assert not list(home.rglob("*.key"))
        for at in (T0, NEXT_MONTH):
            with pytest.raises(LedgerError, match="were destroyed"):
                vault_in(home).open("mari", at, "req_1", "prompt")
        if not os.WIFSIGNALED(status):
            break
    assert number > 5 and (home / "vault" / vault_in(home).tag("mari") / ERASED).exists()


def test_a_master_key_is_64_hex_digits(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("00" * 32 + "\n")
    assert read_master(tmp_path / "m") == bytes(32)
    (tmp_path / "m").write_text("nonsense")
    with pytest.raises(LedgerError, match="--new-master"):
        read_master(tmp_path / "m")
    with pytest.raises(LedgerError, match="has 32 bytes"):
        Vault(tmp_path, b"short")
