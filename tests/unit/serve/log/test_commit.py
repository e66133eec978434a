"""Is each text committed to once, as it was, within bounds, and is what could not be told?"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.commands import Notice
from flyball.model.acts import Commitment
from flyball.model.decision import Record, Warrant
from flyball.serve.config.logs import JurisdictionLogSection
from flyball.serve.config.model import LedgerSection
from flyball.serve.log import commit
from flyball.serve.log.commit import TEXT_BYTES_MAX, Kept, Texts, commitment
from flyball.serve.log.vault import Vault
from flyball.serve.log.writer import LedgerError
from support import fleets, records
from support.records import T0

FLEET = fleets.fleet()
MASTER = bytes(range(32))


def section(folder: Path, **changes: Any) -> LedgerSection:
    (folder / "master.key").write_text(MASTER.hex())
    fields = {"vault": str(folder / "vault"), "master": str(folder / "master.key"), "commit": True}
    return LedgerSection(**(fields | changes))


def run(found: LedgerSection, use: Callable[[Texts], None]) -> tuple[list[Record], list[Notice]]:
    made: list[Record] = []
    told: list[Notice] = []

    async def work() -> None:
        texts = Texts(found, FLEET, made.append, told.append)
        use(texts)
        await texts.close()

    asyncio.run(work())
    return made, told


def one_of(texts: Texts, number: int = 0, prompt: bytes = b"asked", **changes: Any) -> Kept:
    intent = records.intent(number, endpoint=FLEET.endpoints[0].name, **changes)
    kept = texts.begin(intent.id, T0, prompt)
    texts.placed(intent)
    kept.add(b"said")
    return kept


def test_an_exchange_is_committed_to_under_the_person_behind_it(tmp_path: Path) -> None:
    def use(texts: Texts) -> None:
        texts.over(one_of(texts, warrant=Warrant(human="i|mari")))
        texts.over(one_of(texts, 1))

    made, told = run(section(tmp_path), use)
    vault = Vault(tmp_path / "vault", MASTER)
    assert not told
    for record, subject in zip(made, ("i|mari", "alice"), strict=True):
        assert isinstance(record, Commitment) and record.subject == vault.tag(subject)
        assert record.prompt == vault.commit(subject, T0, "prompt", b"asked")
        assert record.answer == vault.commit(subject, T0, "answer", b"said")
        assert (record.endpoint, record.is_sealed) == (FLEET.endpoints[0].name, False)


def test_what_was_never_placed_leaves_nothing(tmp_path: Path) -> None:
    def use(texts: Texts) -> None:
        kept = texts.begin("req_1", T0, b"asked")
        texts.over(kept)
        texts.over(kept)

    assert run(section(tmp_path), use) == ([], [])
    assert not (tmp_path / "vault").exists()


def test_sealed_texts_lie_in_the_vault_of_their_place(tmp_path: Path) -> None:
    places = {
        site.jurisdiction: JurisdictionLogSection(
            folder=str(tmp_path / site.jurisdiction), vault=str(tmp_path / f"v{site.jurisdiction}")
        )
        for site in FLEET.sites
    }
    made, _ = run(
        section(tmp_path, seal=True, jurisdictions=places), lambda t: t.over(one_of(t))
    )  # fmt: skip
    (record,) = made
    pool = next(pool for pool in FLEET.pools if pool.name == FLEET.endpoints[0].pool)
    vault = Vault(tmp_path / f"v{FLEET.site_of(pool).jurisdiction}", MASTER)
    assert vault.open("alice", T0, record.id, "answer") == b"said"
    assert not (tmp_path / "vault").exists()


def test_a_subject_that_was_erased_gets_no_new_key_and_it_is_told(tmp_path: Path) -> None:
    Vault(tmp_path / "vault", MASTER).commit("alice", T0, "prompt", b"x")
    Vault(tmp_path / "vault", MASTER).erase("alice")
    made, told = run(section(tmp_path), lambda t: t.over(one_of(t)))
    assert not made and [one.code for one in told] == ["commitment-failed"]
    assert "destroyed" in told[0].message and "alice" not in told[0].message


def test_too_much_that_waits_stops_admission_or_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "WAITING_MAX", 1)

    def use(texts: Texts) -> None:
        second = one_of(texts, 1)
        texts.over(one_of(texts))
        assert "1 texts wait" in texts.detail == (texts.refuses or texts.detail)
        texts.over(one_of(texts, 2))
        texts.over(second)
        assert texts.left_out == 1

    for on_fault in ("refuse", "continue"):
        made, _ = run(section(tmp_path, on_fault=on_fault), use)
        assert len(made) == 2


def test_a_master_key_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="new-master"):
        run(section(tmp_path, master=str(tmp_path / "none")), lambda t: None)


def test_a_long_answer_is_committed_to_as_far_as_it_is_kept(tmp_path: Path) -> None:
    kept = Kept("req_1", T0, b"")
    kept.subject, kept.endpoint = "mari", "e"
    for _ in range(3):
        kept.add(b"x" * (TEXT_BYTES_MAX // 2))
    assert kept.is_cut and len(kept.text()) == TEXT_BYTES_MAX
    kept.add(b"more")
    assert len(kept.text()) == TEXT_BYTES_MAX
    vault = Vault(tmp_path, MASTER)
    made = commitment(kept, vault, False)
    assert made.is_cut and not made.prompt
    assert made.answer == vault.commit("mari", T0, "answer", b"x" * TEXT_BYTES_MAX)
    kept.restart()
    assert not kept.is_cut and kept.text() == b""


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.data())
def test_framing_does_not_change_the_text_wherever_it_is_cut(
    parts: list[bytes], data: st.DataObject
) -> None:
    framed = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    cut = data.draw(st.integers(0, len(framed)))
    kept = Kept("req_1", T0, b"")
    kept.is_framed = True
    kept.add(framed[:cut])
    assert b"".join(parts).startswith(kept.text())
    kept.add(framed[cut:])
    assert kept.text() == b"".join(parts)
