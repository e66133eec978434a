"""Do workers see each other's work in flight, whole, soon, and of the same fleet only?"""

import multiprocessing
import os
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.model.signals import PeerLoad
from flyball.serve.process.peers import PeerExchange, PeerTable


def load(endpoint: int, running: int = 1, kv: float = 10.0) -> PeerLoad:
    return PeerLoad(
        endpoint=endpoint, running=running, pending=2, pending_prefill_tokens=3.5, kv_tokens=kv
    )


@pytest.fixture
def table():
    fd = PeerTable.create(3, 16)
    yield PeerTable(fd, 3, 16)
    os.close(fd)


def test_others_are_summed_and_own_work_is_left_out(table: PeerTable) -> None:
    sides = [PeerExchange(table, worker) for worker in range(3)]
    sides[0].publish(1, [load(0), load(5, 7)], 16, 1.0)
    sides[1].publish(1, [load(5, 2)], 16, 1.0)
    sides[2].publish(1, [load(9)], 16, 1.0)
    seen = sides[2].read(1, 16)
    assert seen is not None
    assert {(peer.endpoint, peer.running, peer.pending) for peer in seen} == {(0, 1, 2), (5, 9, 4)}
    assert sides[2].read(1, 16) is None, "nothing changed since"


def test_work_that_ended_is_no_longer_seen(table: PeerTable) -> None:
    ours, other = PeerExchange(table, 0), PeerExchange(table, 1)
    other.publish(1, [load(3)], 16, 1.0)
    assert ours.read(1, 16)
    other.publish(1, [], 16, 1.1)
    assert ours.read(1, 16) == ()


def test_rows_of_another_fleet_are_skipped(table: PeerTable) -> None:
    ours, other = PeerExchange(table, 0), PeerExchange(table, 1)
    other.publish(1, [load(3)], 16, 1.0)
    assert ours.read(2, 8) == ()
    other.publish(2, [load(4)], 8, 1.0)
    seen = ours.read(2, 8)
    assert seen is not None and [peer.endpoint for peer in seen] == [4]


def test_a_dead_worker_is_cleared_even_in_the_middle_of_a_write(table: PeerTable) -> None:
    ours, other = PeerExchange(table, 0), PeerExchange(table, 1)
    other.publish(1, [load(3)], 16, 1.0)
    table._rows[1, 0] += 1  # it died while it wrote
    assert table.totals(1, 16) is None, "torn rows are not believed"
    table.clear(1)
    assert ours.read(1, 16) == ()


def test_too_large_a_fleet_and_too_small_a_file_are_refused(table: PeerTable) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        table.publish(0, 1, [], 17, 1.0)
    fd = PeerTable.create(1, 2)
    with pytest.raises(ValueError, match="needs"):
        PeerTable(fd, 3, 16)
    os.close(fd)


@given(st.lists(st.lists(st.integers(0, 50), min_size=6, max_size=6), min_size=3, max_size=3))
def test_totals_are_conserved(counts: list[list[int]]) -> None:
    fd = PeerTable.create(3, 6)
    table = PeerTable(fd, 3, 6)
    for worker, row in enumerate(counts):
        table.publish(
            worker, 1, [load(index, running) for index, running in enumerate(row)], 6, 0.0
        )
    totals = table.totals(1, 6)
    os.close(fd)
    assert totals is not None
    assert totals[:, 0].tolist() == np.sum(counts, axis=0).tolist()


def _publish_for_a_while(fd: int, worker: int, until: float) -> None:
    table = PeerTable(fd, 2, 8)
    side = PeerExchange(table, worker)
    number = 0
    while time.monotonic() < until:
        number += 1
        side.publish(1, [load(index, number) for index in range(8)], 8, time.monotonic())


def test_no_torn_row_is_ever_seen_across_processes() -> None:
    fd = PeerTable.create(2, 8)
    process = multiprocessing.get_context("fork").Process(
        target=_publish_for_a_while, args=(fd, 1, time.monotonic() + 0.5)
    )
    process.start()
    ours = PeerExchange(PeerTable(fd, 2, 8), 0)
    views = 0
    while process.is_alive():
        seen = ours.read(1, 8)
        if seen:
            views += 1
            assert len({peer.running for peer in seen}) == 1, seen
    process.join()
    os.close(fd)
    assert views > 10
