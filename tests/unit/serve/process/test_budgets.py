"""Is what may have been spent known after a kill at any byte, and never less?"""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.commands import KeepBudget, LendBudget, Notice
from flyball.governor.events import BudgetsKept, BudgetTold
from flyball.governor.governor import Governor
from flyball.governor.purses import FORGET_S
from flyball.serve.log.writer import LedgerError
from flyball.serve.process.budgets import ENDING, BudgetBook
from support import fleets

NOW = 1_763_600_000.0


def book(folder: Path, at: float = NOW, told: list[Notice] | None = None) -> BudgetBook:
    sink = [] if told is None else told
    return BudgetBook(str(folder / "log"), lambda: at, sink.append)


def keep(folder: Path, *lines: tuple[str, int, int], at: float = NOW) -> None:
    async def run() -> None:
        found = book(folder, at)
        for line in lines:
            found.keep(KeepBudget(*line))
            await found.close()

    asyncio.run(run())


def test_the_last_word_of_each_block_holds(tmp_path: Path) -> None:
    keep(tmp_path, ("b1", 100, 40), ("approval:x y", 1, 1), ("b1", 100, 30))
    assert book(tmp_path).accounts == (("b1", 100, 30), ("approval:x y", 1, 1))
    assert book(tmp_path, NOW + FORGET_S + 1).accounts == ()


def test_an_act_waits_until_all_that_was_noted_before_it_is_durable(tmp_path: Path) -> None:
    async def run() -> None:
        found, seen = book(tmp_path), []
        found.when_kept(lambda: seen.append("at once"))
        for number in range(1, 50):
            found.keep(KeepBudget("b1", 100, number))
            path = tmp_path / f"log{ENDING}"
            found.when_kept(lambda n=number, p=path: seen.append(f"b1 100 {n} ".encode()
                                                                 in p.read_bytes()))  # fmt: skip
        assert seen == ["at once"]
        await found.close()
        assert seen[1:] == [True] * 49

    asyncio.run(run())


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 99)), min_size=1), st.data())
def test_a_kill_at_any_byte_leaves_what_had_been_durable(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, int]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("kill")
    keep(folder, *((block, 99, committed) for block, committed in told))
    path = folder / f"log{ENDING}"
    raw = path.read_bytes()
    cut = data.draw(st.integers(0, len(raw)))
    path.write_bytes(raw[:cut])
    whole = raw[:cut].count(b"\n") and [line for line in raw[:cut].split(b"\n")[:-1] if line]
    wanted = dict(told[: len(whole or ())])
    got = {block: committed for block, _, committed in book(folder).accounts}
    rest = dict(told[: len(whole or ()) + 1])
    assert got in (wanted, rest)
    assert book(folder).accounts == tuple((b, 99, c) for b, c in got.items())


def test_a_line_torn_by_a_full_disk_and_written_again_is_no_damage(tmp_path: Path) -> None:
    keep(tmp_path, ("b1", 100, 40))
    path = tmp_path / f"log{ENDING}"
    raw = path.read_bytes().strip()
    path.write_bytes(raw[:9] + b"\n" + raw + b"\n")
    assert book(tmp_path).accounts == (("b1", 100, 40),)


def test_damage_in_the_midst_is_not_passed_over(tmp_path: Path) -> None:
    keep(tmp_path, ("b1", 100, 40), ("b2", 100, 41))
    path = tmp_path / f"log{ENDING}"
    path.write_bytes(path.read_bytes().replace(b"b1 100 40", b"b1 100 20"))
    with pytest.raises(LedgerError, match="line 2 is damaged"):
        book(tmp_path)


def test_a_disk_that_refuses_is_told_and_nothing_is_lent_until_it_takes(tmp_path: Path) -> None:
    async def run() -> None:
        told: list[Notice] = []
        found = BudgetBook(str(tmp_path / "sub" / "log"), lambda: NOW, told.append)
        seen: list[int] = []
        found.keep(KeepBudget("b1", 100, 1))
        found.when_kept(lambda: seen.append(1))
        await asyncio.sleep(0.3)
        assert not seen and [one.code for one in told] == ["budgets-not-kept"]
        (tmp_path / "sub").mkdir()
        await found.close()
        assert seen and book(tmp_path / "sub").accounts == (("b1", 100, 1),)

    asyncio.run(run())


@given(st.lists(st.tuples(st.sampled_from(["ask", "spend", "return", "kill"]),
                          st.integers(1, 60), st.integers(0, 1)), max_size=40))  # fmt: skip
def test_no_order_of_loans_and_kills_overruns_a_limit(steps: list[tuple[str, int, int]]) -> None:
    """A governor of the control process, its worker's room, and the file as it was at the kill."""
    limit, spent, kept = 100, 0, ()
    room = [0, 0]
    core = Governor(fleets.fleet(), fleets.policy(role="control", workers=2))
    core.handle(BudgetsKept(1.0, kept))
    for what, amount, worker in steps:
        told = {"ask": (amount, 0, 0), "spend": (0, min(amount, room[worker]), 0),
                "return": (0, 0, min(amount, room[worker]))}.get(what)  # fmt: skip
        if told is None:
            core = Governor(fleets.fleet(), fleets.policy(role="control", workers=2))
            core.handle(BudgetsKept(2.0, kept))
            room = [0, 0]
            continue
        spent += told[1]
        room[worker] -= told[1] + told[2]
        for command in core.handle(BudgetTold(1.0, worker, "b", limit, *told)):
            if isinstance(command, KeepBudget):
                kept = ((command.block, command.limit_micro_usd, command.committed),)
            elif isinstance(command, LendBudget):
                room[worker] += command.amount
        assert spent + sum(room) <= limit
