"""Do records leave a worker in order and bounded, and do its timers keep their grid?"""

import asyncio
import itertools
import sys

import msgspec
import pytest

from flyball.ledger.record import decode
from flyball.model.decision import Outcome
from flyball.serve.log.recording import lost_outcome
from flyball.serve.process import workers
from flyball.serve.process.link import Records
from flyball.serve.process.workers import Place, RecordBuffer, command_line, every


def outcome(number: int) -> Outcome:
    return lost_outcome(f"req_{number}", 1.0, 1, "e", "")


class Wire:
    """A link that can be blocked."""

    def __init__(self) -> None:
        self.is_open = True
        self.sent: list[Records] = []

    def send(self, batch: Records) -> bool:
        if self.is_open:
            self.sent.append(batch)
        return self.is_open

    @property
    def ids(self) -> list[str]:
        return [decode(entry).id for batch in self.sent for entry in batch.encoded]


def test_records_leave_in_order_in_few_batches_and_wait_while_blocked() -> None:
    async def scene() -> None:
        wire = Wire()
        buffer = RecordBuffer(wire.send)
        for number in range(100):
            buffer.append(outcome(number))
        assert wire.sent == []
        await asyncio.sleep(0.02)
        assert len(wire.sent) == 1 and wire.ids == [f"req_{number}" for number in range(100)]
        assert wire.sent[0].changes[0] == ("req_0", 0, "")
        wire.is_open = False
        buffer.append(outcome(100))
        await asyncio.sleep(0.02)
        wire.is_open = True
        buffer.append(outcome(101))
        await asyncio.sleep(0.1)
        assert wire.ids[100:] == ["req_100", "req_101"] and buffer.lost == 0

    asyncio.run(scene())


def test_what_does_not_fit_is_counted() -> None:
    async def scene() -> None:
        wire = Wire()
        wire.is_open = False
        buffer = RecordBuffer(wire.send, records_max=10)
        for number in range(15):
            buffer.append(outcome(number))
        buffer.flush()
        wire.is_open = True
        buffer.flush()
        assert len(wire.ids) == 10 and buffer.lost == 5

    asyncio.run(scene())


def test_a_period_does_not_drift_and_missed_turns_are_not_made_up() -> None:
    async def scene() -> list[float]:
        loop = asyncio.get_running_loop()
        turns: list[float] = []

        def act() -> None:
            turns.append(loop.time())
            if len(turns) == 3:
                import time

                time.sleep(0.1)

        task = asyncio.create_task(every(0.01, act))
        await asyncio.sleep(0.25)
        task.cancel()
        return turns

    turns = asyncio.run(scene())
    gaps = [later - sooner for sooner, later in itertools.pairwise(turns)]
    assert 8 <= len(turns) <= 17, "ten turns were missed and stay so"
    assert min(gaps) > 0.003


def test_the_command_line_carries_the_place() -> None:
    place = Place(
        worker=1,
        workers=2,
        link_fd=5,
        peers_fd=6,
        quotes_fd=9,
        proofs_fd=10,
        endpoints_max=7,
        host="h",
        port=8,
    )
    words = command_line(place)
    assert words[:3] == [sys.executable, "-m", "flyball.serve.process.workers"]
    assert msgspec.json.decode(words[3], type=Place) == place


def test_a_worker_whose_control_process_is_gone_at_once_ends(monkeypatch) -> None:
    import socket

    ours, theirs = socket.socketpair()
    theirs.close()
    fd = workers.PeerTable.create(1, 4)
    quotes_fd = workers.QuoteTable.create(1)
    proofs_fd = workers.ProofTable.create()
    link_fd = ours.detach()
    place = Place(
        worker=0, workers=1, link_fd=link_fd, peers_fd=fd, quotes_fd=quotes_fd, proofs_fd=proofs_fd,
        endpoints_max=4,
        host="h", port=0,
    )  # fmt: skip
    monkeypatch.setattr(workers.signal, "signal", lambda *_: None)
    assert workers.main([msgspec.json.encode(place).decode()]) == 1


@pytest.mark.parametrize("frames", [1, 3])
def test_flush_without_records_sends_nothing(frames: int) -> None:
    wire = Wire()
    buffer = RecordBuffer(wire.send)
    for _ in range(frames):
        buffer.flush()
    assert wire.sent == []
