"""Is each proof used once, by whichever process, and a full table no way round it?"""

import os
from pathlib import Path

import pytest

from flyball.authority.mandates import holder
from flyball.serve.process import proofs
from flyball.serve.process.proofs import KEEP_S, ProofTable


def test_it_remembers_for_as_long_as_a_proof_counts() -> None:
    assert KEEP_S == holder.KEEP_S
    table = ProofTable(ProofTable.create())
    assert table.use("k.1", 100.0) and not table.use("k.1", 100.0 + KEEP_S)
    assert table.use("k.2", 100.0) and table.use("k.1", 100.1 + KEEP_S)


def test_a_full_bucket_refuses_rather_than_forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proofs, "BUCKETS", 1)
    table = ProofTable(ProofTable.create())
    assert [table.use(f"k.{n}", 100.0) for n in range(proofs.ROWS + 1)] == [True] * 16 + [False]
    assert table.use("k.new", 101.0 + KEEP_S)


def test_of_many_processes_one_alone_uses_each(tmp_path: Path) -> None:
    fd = ProofTable.create()
    kids = []
    for number in range(4):
        if not (pid := os.fork()):
            table = ProofTable(fd)
            won = [str(n) for n in range(300) if table.use(f"k.{n}", 100.0)]
            (tmp_path / str(number)).write_text(" ".join(won))
            os._exit(0)
        kids.append(pid)
    for pid in kids:
        os.waitpid(pid, 0)
    won = [int(n) for path in tmp_path.iterdir() for n in path.read_text().split()]
    assert sorted(won) == list(range(300))


def test_a_file_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="less than"):
        ProofTable(os.memfd_create("small"))
