"""Which HTTP routes does the emulated engine serve, and how does a request go through it?"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn

import msgspec
from aiohttp import web
from msgspec import Struct

from flyball.model.profile import Profile
from flyball.serve.emulator.answer import embedding, make_answer, make_job
from flyball.serve.emulator.ask import Ask, AskError, Surface, read_ask
from flyball.serve.emulator.drive import Drive, Plant, Ticket
from flyball.serve.emulator.faults import Fault, Faults
from flyball.serve.emulator.messages import MessageWording
from flyball.serve.emulator.meters import Meters
from flyball.serve.emulator.responses import ResponseWording
from flyball.serve.emulator.wording import ChatWording, CompletionWording, Wording
from flyball.units import Seconds, Tokens

BODY_BYTES_MAX = 64 * 1024 * 1024
CONTEXT_TOKENS_MAX = 131_072
STALL_S_MAX: Seconds = 3600.0
_GARBAGE = b"\x00\xff\x13garbage, not HTTP\r\n\x7f\x00" * 4
_WORDINGS: dict[Surface, type[Wording]] = {
    "chat": ChatWording,
    "completion": CompletionWording,
    "response": ResponseWording,
    "message": MessageWording,
}


class Settings(Struct, frozen=True, kw_only=True):
    """How this engine is set up. `models` are the names it answers to; the first is its own."""

    profile: Profile
    models: tuple[str, ...]
    name: str = "engine"
    time_scale: float = 1.0
    rtt_s: Seconds = 0.0
    seed: int = 0
    prefix_cache: bool = True
    faults: tuple[Fault, ...] = ()

    @property
    def context_tokens_max(self) -> Tokens:
        """Prompt and answer together."""
        return min(CONTEXT_TOKENS_MAX, self.profile.limits.kv_tokens_max)


class Emulator:
    """The emulated engine: routes in front of a plant. Make it inside a running event loop."""

    def __init__(self, plant: Plant, settings: Settings) -> None:
        self.settings = settings
        self.drive = Drive(plant, settings.time_scale)
        self.faults = Faults(settings.seed)
        for fault in settings.faults:
            self.faults.add(fault)
        self.meters = Meters(
            settings.models[0], settings.profile.limits.block_tokens, settings.prefix_cache
        )
        self._ids = itertools.count(1)
        self._started_at = int(time.time())

    def application(self) -> web.Application:
        """The routes."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        post: dict[str, Surface] = {
            "/v1/chat/completions": "chat",
            "/v1/completions": "completion",
            "/v1/embeddings": "embedding",
            "/v1/responses": "response",
            "/v1/messages": "message",
        }
        for path, surface in post.items():
            app.router.add_post(path, self._route(surface))
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/_emulator/fault", self._set_fault)
        app.router.add_delete("/_emulator/fault", self._clear_faults)
        return app

    # --- the APIs ---

    def _route(self, surface: Surface) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            fault = self.faults.draw()
            try:
                _strike_before(fault)
                ask = read_ask(surface, await request.read())
                if self.settings.rtt_s:
                    # The whole round trip before the work: the same to whoever waits.
                    await asyncio.sleep(self.settings.rtt_s)
                return await self._serve(request, ask, fault)
            except AskError as error:
                return _error(surface, error)

        return handle

    async def _serve(
        self, request: web.Request, ask: Ask, fault: Fault | None
    ) -> web.StreamResponse:
        settings = self.settings
        if ask.model not in settings.models:
            raise AskError(
                404, f"The model `{ask.model}` does not exist.", "model", "model_not_found"
            )
        room = settings.context_tokens_max - ask.input_tokens
        if room < (ask.output_tokens_max or (0 if ask.surface == "embedding" else 1)):
            raise AskError(
                400,
                f"This model's maximum context length is {settings.context_tokens_max} tokens. "
                f"However, you requested {ask.input_tokens + ask.output_tokens_max} tokens "
                f"({ask.input_tokens} in the prompt, {ask.output_tokens_max} for the answer).",
                "messages",
                "context_length_exceeded",
            )
        answer = make_answer(ask, settings.seed, room)
        if answer.tokens > room:
            raise AskError(400, "The answer does not fit into the context.", "tools")
        name = f"{settings.name}-{next(self._ids)}"
        job = make_job(name, ask, answer, settings.profile.limits.block_tokens)
        ticket = self.drive.submit(job, ask.stream)
        if ticket is None:
            raise AskError(503, "Too many requests wait here.", "", "queue_full")
        try:
            if ask.surface == "embedding":
                return await self._embed(request, ask, ticket, fault)
            words = _WORDINGS[ask.surface](ask, answer, name, int(time.time()))
            if ask.stream:
                return await self._stream(request, words, ticket, fault)
            return await self._whole(request, words, ticket, fault)
        finally:
            if not ticket.done:
                self.meters.finished["abort"] += 1
            self.drive.leave(ticket)

    async def _embed(
        self, request: web.Request, ask: Ask, ticket: Ticket, fault: Fault | None
    ) -> web.StreamResponse:
        await self._until_done(request, ticket, fault)
        data = [
            {
                "object": "embedding",
                "index": i,
                "embedding": embedding(prompt, self.settings.seed, ask.dimensions, ask.base64),
            }
            for i, prompt in enumerate(ask.prompts)
        ]
        self._count("stop", ticket)
        usage = {"prompt_tokens": ask.input_tokens, "total_tokens": ask.input_tokens}
        return _json({"object": "list", "data": data, "model": ask.model, "usage": usage})

    async def _whole(
        self, request: web.Request, words: Wording, ticket: Ticket, fault: Fault | None
    ) -> web.StreamResponse:
        await self._until_done(request, ticket, fault)
        self._count(words.answer.finish, ticket)
        return web.Response(body=words.whole(ticket.cached), content_type="application/json")

    async def _until_done(self, request: web.Request, ticket: Ticket, fault: Fault | None) -> None:
        while not ticket.done:
            await ticket.wait()
        if fault is not None:
            if fault.kind == "slow":
                taken = (ticket.finished_at - ticket.arrived_at) / self.settings.time_scale
                await asyncio.sleep((fault.factor - 1) * taken)
            else:
                await _strike(fault, request, None)

    async def _stream(
        self, request: web.Request, words: Wording, ticket: Ticket, fault: Fault | None
    ) -> web.StreamResponse:
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        await response.prepare(request)
        # How many chunks may be written before the fault strikes; a stream without fault: all.
        limit = words.answer.tokens + 1
        if fault is not None and fault.kind != "slow":
            limit = min(limit, fault.after_chunks)
        sent, told_at = -1, ticket.arrived_at
        while sent < words.answer.tokens:
            while ticket.made <= max(sent, 0) and not ticket.done:
                await ticket.wait()
            made = min(ticket.made, limit)
            if fault is not None and fault.kind == "slow":
                now = self.drive.now()
                pause = (fault.factor - 1) * (now - told_at) / self.settings.time_scale
                told_at = now
                await asyncio.sleep(pause)
            data = b"" if sent >= 0 else words.opening(ticket.cached)
            sent = max(sent, 0)
            if made > sent:
                data += words.piece(sent, made)
                sent = made
            if fault is not None and sent >= limit:
                await response.write(data)
                await _strike(fault, request, response)
            if sent == words.answer.tokens:
                data += words.close(ticket.cached)
                self._count(words.answer.finish, ticket)
            await response.write(data)
            if sent == words.answer.tokens:
                break
        await response.write_eof()
        return response

    def _count(self, finish: str, ticket: Ticket) -> None:
        scale = self.settings.time_scale
        self.meters.served(
            "stop" if finish == "tool_calls" else finish,
            (ticket.admitted_at - ticket.arrived_at) / scale,
            (ticket.first_at - ticket.arrived_at) / scale,
            (ticket.finished_at - ticket.arrived_at) / scale,
            ticket.job.output_tokens,
        )

    # --- the rest ---

    async def _models(self, request: web.Request) -> web.Response:
        data = [
            {
                "id": model,
                "object": "model",
                "created": self._started_at,
                "owned_by": "flyball",
                "root": self.settings.models[0],
                "max_model_len": self.settings.context_tokens_max,
            }
            for model in self.settings.models
        ]
        return _json({"object": "list", "data": data})

    async def _health(self, request: web.Request) -> web.Response:
        return web.Response()

    async def _metrics(self, request: web.Request) -> web.Response:
        page = self.meters.page(self.drive.state())
        return web.Response(
            body=page.encode(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    async def _set_fault(self, request: web.Request) -> web.Response:
        try:
            self.faults.add(msgspec.json.decode(await request.read(), type=Fault))
        except (msgspec.MsgspecError, ValueError) as error:
            return _error("chat", AskError(400, f"This is no fault: {error}", "fault"))
        return _json({"faults": self.faults.in_force})

    async def _clear_faults(self, request: web.Request) -> web.Response:
        self.faults.clear()
        return _json({"faults": []})


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _error(surface: Surface, error: AskError) -> web.Response:
    """An error in the API's own shape; busy answers carry Retry-After."""
    kinds = {400: "invalid_request_error", 404: "not_found_error", 429: "rate_limit_error"}
    if surface == "message":
        kind = kinds.get(error.status, "overloaded_error")
        body: dict[str, object] = {
            "type": "error",
            "error": {"type": kind, "message": error.message},
        }
    else:
        kind = kinds.get(error.status, "service_unavailable_error")
        body = {
            "error": {
                "message": error.message,
                "type": "invalid_request_error" if error.status == 404 else kind,
                "param": error.param or None,
                "code": error.code or None,
            }
        }
    response = web.Response(
        status=error.status, body=msgspec.json.encode(body), content_type="application/json"
    )
    if error.status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response


def _strike_before(fault: Fault | None) -> None:
    """Faults that answer at once."""
    if fault is not None and fault.kind == "error-503":
        raise AskError(503, "The engine is not available (injected).", "", "injected")
    if fault is not None and fault.kind == "error-429":
        raise AskError(429, "Rate limit reached (injected).", "", "injected")


async def _strike(
    fault: Fault, request: web.Request, response: web.StreamResponse | None
) -> NoReturn:
    """Spoil the answer: say nothing more, send bytes that are no HTTP, or close in the middle."""
    transport = request.transport
    if fault.kind == "stall":
        await asyncio.sleep(STALL_S_MAX)
    elif transport is not None and fault.kind == "garbage":
        transport.write(_GARBAGE)
    elif transport is not None and response is None:  # a head that promises more than comes
        transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n"
            b'{"id":"cut'
        )
    if transport is not None:
        transport.close()
    raise asyncio.CancelledError
