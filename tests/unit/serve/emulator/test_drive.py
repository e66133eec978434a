"""Does the plant's time follow the event loop's, and does each job hear its own news?"""

import asyncio

from flyball.dialects.profiles import profile
from flyball.model.plant import Job
from flyball.serve.emulator.drive import Drive, Ticket
from flyball.sim.engine import Engine


async def finish(ticket: Ticket) -> list[int]:
    seen: list[int] = []
    while not ticket.done:
        await ticket.wait()
        seen.append(ticket.made)
    return seen


def drive(scale: float, **options) -> Drive:
    return Drive(Engine(profile("h100/llama-3.1-8b"), **options), scale)


def test_a_job_takes_its_time_on_the_wall() -> None:
    async def run() -> tuple[float, Ticket]:
        loop = asyncio.get_running_loop()
        driven, begun = drive(2.0), loop.time()
        ticket = driven.submit(Job("a", 100, 20), streaming=False)
        assert ticket is not None
        await asyncio.wait_for(finish(ticket), 5)
        driven.leave(ticket)
        return loop.time() - begun, ticket

    wall, ticket = asyncio.run(run())
    modelled = ticket.finished_at - ticket.arrived_at  # about 0.14 s, at double speed
    assert 0.13 < modelled < 0.16
    assert modelled / 2 <= wall < modelled / 2 + 0.5
    assert ticket.made == 20
    assert ticket.arrived_at <= ticket.admitted_at < ticket.first_at < ticket.finished_at


def test_a_stream_hears_of_tokens_as_they_come() -> None:
    async def run() -> list[int]:
        driven = drive(1.0)
        ticket = driven.submit(Job("a", 100, 12), streaming=True)
        assert ticket is not None
        return await asyncio.wait_for(finish(ticket), 5)

    seen = asyncio.run(run())
    assert seen == sorted(seen)
    assert seen[-1] == 12
    assert len(seen) > 3


def test_a_full_queue_is_told() -> None:
    async def run() -> Ticket | None:
        return drive(1.0, max_waiting=0).submit(Job("a", 1, 1), streaming=False)

    assert asyncio.run(run()) is None


def test_leaving_early_frees_the_engine() -> None:
    async def run() -> tuple[int, int]:
        driven = drive(50.0)
        first = driven.submit(Job("a", 100, 10_000), streaming=True)
        assert first is not None
        await first.wait()
        driven.leave(first)
        await asyncio.sleep(0.02)
        state = driven.state()
        return state.running, state.kv_blocks_used

    assert asyncio.run(run()) == (0, 0)
