"""What happens around every call at these doors: who is it, may they, and what is written down?

Each call leaves an `AdminCall`. Callers that are not known are written down too, but at most
`STRANGERS_MAX` a second; beyond that they are turned away and counted in the next one's record.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from flyball.authority.revocation.roles import Act, OrderError
from flyball.model.acts import AdminCall
from flyball.serve.doors.parties import Caller, Parties, Refused
from flyball.units import MS_PER_S, Bytes, Seconds

READ_S_MAX: Seconds = 5.0
BODY_BYTES_MAX: Bytes = 256 << 10
STRANGERS_MAX = 20
NOBODY = Caller("", "")
Answering = Awaitable[web.StreamResponse]
Job = Callable[[web.Request, Caller, bytes], Answering]
Knock = Callable[[web.Request, bytes], Caller]


class Reply(web.Response):
    """An answer with what its record says beside the status: why, and who called where only the
    answer knows."""

    why = ""
    caller: Caller | None = None


class Guard:
    """Lets calls in. `record` takes each call's record."""

    def __init__(
        self, parties: Parties, record: Callable[[AdminCall], None], now: Callable[[], Seconds]
    ) -> None:
        self._parties = parties
        self._record = record
        self._now = now
        self._window: Seconds = 0.0
        self._strangers = 0
        self._unwritten = 0

    def person(self, act: Act, job: Job) -> Callable[[web.Request], Answering]:
        """For persons whose role allows `act`."""

        def knock(request: web.Request, body: bytes) -> Caller:
            header = request.headers.get("authorization", "")
            target = request.raw_path
            return self._parties.caller(act, header, request.method, target, body, self._now())

        return self.open(knock, job)

    def listener(self, job: Job) -> Callable[[web.Request], Answering]:
        """For the sites of our feeds, and persons who may read."""

        def knock(request: web.Request, body: bytes) -> Caller:
            header = request.headers.get("authorization", "")
            return self._parties.listener(header, request.method, request.raw_path, self._now())

        return self.open(knock, job)

    def evaluator(self, job: Job) -> Callable[[web.Request], Answering]:
        """For programs with a bearer key."""

        def knock(request: web.Request, body: bytes) -> Caller:
            return self._parties.evaluator(request.headers.get("authorization", ""))

        return self.open(knock, job)

    def open(self, knock: Knock, job: Job) -> Callable[[web.Request], Answering]:
        """For whomever `knock` recognises; it raises Refused for all others. A job that finds out
        only itself who calls says so in its reply."""

        async def answer(request: web.Request) -> web.StreamResponse:
            caller = NOBODY
            try:
                body = await asyncio.wait_for(request.read(), READ_S_MAX)
                caller = knock(request, body)
                reply = await job(request, caller, body)
                if isinstance(reply, Reply):
                    caller = reply.caller or caller
            except Refused as refused:
                caller = refused.caller or NOBODY
                reply = _no(refused.status, str(refused))
            except OrderError as error:
                reply = _no(error.status, str(error))
            except TimeoutError:
                reply = _no(408, "the body did not come in time")
            except OSError as error:
                text = f"in force here, but it cannot be kept or told: {error.strerror or error}"
                reply = _no(507, text)
            self._note(request, caller, reply)
            return reply

        return answer

    def _note(self, request: web.Request, caller: Caller, reply: web.StreamResponse) -> None:
        at = self._now()
        if not caller.name and self._is_crowded(at):
            self._unwritten += 1
            return
        refused = reply.status >= 400
        reason = reply.why if isinstance(reply, Reply) and refused else ""
        if self._unwritten:
            reason += f" (and {self._unwritten} calls by strangers before)"
            self._unwritten = 0
        self._record(
            AdminCall(
                id=f"call_{int(at * MS_PER_S):011x}{secrets.token_hex(4)}",
                at=at,
                by=caller.name,
                role=caller.role,
                call=f"{request.method} {request.path}"[:200],
                allowed=not refused,
                status=reply.status,
                reason=reason,
            )
        )

    def _is_crowded(self, at: Seconds) -> bool:
        if at - self._window >= 1.0:
            self._window, self._strangers = at, 0
        self._strangers += 1
        return self._strangers > STRANGERS_MAX


def reply_json(value: Any, status: int = 200) -> Reply:
    """An answer of JSON."""
    return Reply(
        body=msgspec.json.encode(value),
        status=status,
        content_type="application/json",
        headers={"cache-control": "no-store"},
    )


def _no(status: int, text: str) -> Reply:
    reply = reply_json({"error": text}, status)
    reply.why = text[:200]
    if status == 401:
        reply.headers["www-authenticate"] = "Flyball"
    return reply
