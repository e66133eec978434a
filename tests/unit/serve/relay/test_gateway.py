"""Does the driver carry out each command, feed events in order, and answer its own pages?"""

import asyncio
from typing import Any

from msgspec import structs

from flyball.governor.commands import (
    Abort,
    Forward,
    Hold,
    Notice,
    Publish,
    Record,
    Reject,
    Report,
    Solve,
)
from flyball.governor.events import DrainBegun, RequestArrived, Tick
from flyball.model.decision import TurnedAway
from flyball.model.faults import Refusal
from flyball.model.prices import NO_BOARD
from flyball.serve.relay.gateway import DECISIONS_PER_SAMPLE
from flyball.serve.relay.heads import Request
from support.relay import ANSWER, HEALTH, ScriptCore, bench, post, until

GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"


def test_commands_reach_their_sinks_in_order_and_unknown_requests_are_passed_over() -> None:
    async def run() -> None:
        got: list[Any] = []
        core = ScriptCore()
        async with bench(ANSWER, core=core) as made:
            gateway = made.gateway
            for name in ("record", "solve", "publish", "report", "notice"):
                object.__setattr__(gateway._sinks, name, got.append)
            gateway._carry_out[Notice] = got.append
            forward = core.forward  # an id the gateway never saw
            core._arrived["req_x"] = 0.0
            notice = Notice("info", "a", "b")
            core.handle = lambda event: [  # type: ignore[method-assign]
                Record(1),  # type: ignore[arg-type]
                Solve(2),  # type: ignore[arg-type]
                Publish(NO_BOARD),
                Report(()),
                notice,
                forward("req_x"),
                Hold("req_x", 1.0),
                Reject("req_x", Refusal(code="queue_full")),
                Abort("req_x", None),
            ]
            gateway._handle = core.handle
            gateway.feed(Tick(1.0))
            assert got == [1, 2, NO_BOARD, (), notice]
            assert not made.notices

    asyncio.run(run())


def test_an_event_fed_while_commands_are_carried_out_waits_its_turn() -> None:
    async def run() -> None:
        order: list[str] = []
        async with bench(ANSWER) as made:
            gateway = made.gateway

            def handle(event):
                order.append(f"event {event.at:g}")
                return [Record(f"a{event.at:g}"), Record(f"b{event.at:g}")]

            def record(name) -> None:
                order.append(name)
                if name == "a1":
                    gateway.feed(Tick(2.0))

            gateway._handle = handle
            gateway._carry_out[Record] = lambda command: record(command.record)
            gateway.feed(Tick(1.0))
            assert order == ["event 1", "a1", "b1", "event 2", "a2", "b2"]

    asyncio.run(run())


def test_own_pages_may_be_exact_below_a_path_or_awaited_and_their_faults_are_told() -> None:
    async def later(request: Request):
        await asyncio.sleep(0.01)
        return 200, [], b"later " + request.target

    async def broken_later(request: Request):
        raise RuntimeError("no")

    def broken(request: Request):
        raise RuntimeError("no")

    async def run() -> None:
        routes = {
            (b"GET", b"/a"): lambda request: (200, [(b"x-a", b"1")], b"a"),
            (b"GET", b"/below/"): lambda request: (200, [], b"below"),
            (b"GET", b"/later"): later,
            (b"GET", b"/broken"): broken,
            (b"GET", b"/broken-later"): broken_later,
            (b"POST", b"/act"): lambda request: (202, [], request.body),
        }
        async with bench(ANSWER, routes=routes) as made:
            client = await made.client()
            await client.send(b"".join(GET % path for path in (b"/a?x", b"/below/b/c", b"/later")))
            assert (await client.answer())[2] == b"a"
            assert (await client.answer())[2] == b"below"
            assert (await client.answer())[2] == b"later /later"
            await client.send(GET % b"/broken" + GET % b"/broken-later" + GET % b"/b")
            assert [(await client.answer())[0] for _ in range(3)] == [500, 500, 404]
            assert [notice.code for notice in made.notices] == ["page_failed"] * 2
            await client.send(post(b"x", path=b"/act"))
            assert (await client.answer())[::2] == (202, b"x")
            await client.send(post())
            assert (await client.answer())[0] == 200

    asyncio.run(run())


def test_ids_and_draws_come_in_with_the_event() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            for _ in range(5):
                await made.ask(post())
            arrived = list(made.core.seen(RequestArrived))
            assert len({event.request_id for event in arrived}) == 5
            assert len({event.draw for event in arrived}) == 5
            assert all(0.0 <= event.draw < 1.0 for event in arrived)
            assert [event.at for event in arrived] == sorted(event.at for event in arrived)

    asyncio.run(run())


def test_drain_is_told_to_the_core_once_and_answers_close_the_connection() -> None:
    async def run() -> None:
        core = ScriptCore()
        async with bench(ANSWER, core=core) as made:
            core.on_arrival = lambda event: [Hold(event.request_id, event.at + 9.0)]
            client = await made.client()
            await client.send(post() + HEALTH)
            while not made.gateway.in_flight_count:
                await asyncio.sleep(0.001)
            made.gateway.begin_drain()
            made.gateway.begin_drain()
            assert len(core.seen(DrainBegun)) == 1
            forward = core.forward(core.seen(RequestArrived)[0].request_id)
            assert isinstance(forward, Forward)
            made.gateway._forward(forward)
            status, fields, _ = await client.answer()
            assert (status, fields["connection"]) == (200, "close")
            assert await client.rest() == b""

    asyncio.run(run())


def test_what_the_core_never_saw_is_recorded_by_the_second_however_much_there_is() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            kept: list[TurnedAway] = []
            object.__setattr__(made.gateway._sinks, "record", kept.append)
            told = []
            for request in [post(b"{")] * 40 + [b"G@T / HTTP/1.1\r\n\r\n"] * 2 + [post()]:
                told.append((await made.ask(request))[1]["x-flyball-request-id"])
            made.gateway._keep_house()
            await made.gateway.drain(0.0)
            found = {record.code: record for record in kept}
            assert set(found) == {"bad_json", "bad_http"}
            assert sum(record.count for record in kept) == 42
            named = [name for record in kept for name in record.ids]
            assert set(named) <= set(told[:42]) and len(named) == len(set(named))
            assert {record.source for record in kept} == {"127.0.0.0/24"}
            assert len(kept) <= 4, "at most two seconds' worth"

    asyncio.run(run())


def test_one_decision_in_so_many_is_timed() -> None:
    async def run() -> None:
        async with bench(ANSWER) as made:
            for _ in range(DECISIONS_PER_SAMPLE - 1):
                await made.ask(post())
            assert made.gateway.take_decision_times() == []
            for _ in range(2):
                await made.ask(post())
            (taken,) = made.gateway.take_decision_times()
            assert taken >= 0.0 and made.gateway.take_decision_times() == []

    asyncio.run(run())


def test_a_request_that_must_be_recorded_first_is_sent_when_the_record_is_durable() -> None:
    async def run() -> None:
        waiting: list[Any] = []
        core = ScriptCore()
        async with bench(ANSWER, core=core) as made:
            gateway = made.gateway
            object.__setattr__(gateway._sinks, "when_durable", waiting.append)
            core.on_arrival = lambda event: [
                structs.replace(core.forward(event.request_id), after_record=True)
            ]
            client = await made.client()
            await client.send(post())
            await until(lambda: bool(waiting))
            await asyncio.sleep(0.05)
            assert not made.engines[0].requests
            waiting.pop()()
            assert (await client.answer())[0] == 200
            # One that is gone by then is not sent.
            other = await made.client()
            await other.send(post())
            await until(lambda: bool(waiting))
            other.close()
            await until(lambda: not gateway.in_flight_count)
            waiting.pop()()
            await asyncio.sleep(0.05)
            assert len(made.engines[0].requests) == 1

    asyncio.run(run())
