"""Which calls may people and other governors make, and what do they answer?"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web
from msgspec import Struct

from flyball.authority.revocation.roles import OrderError, Waiting, needs_second
from flyball.model.acts import Oversight
from flyball.serve.doors.guard import Guard, reply_json
from flyball.serve.doors.orders import Effect, Orders
from flyball.serve.doors.overrides import Override, Overrides
from flyball.serve.doors.parties import Caller, Parties
from flyball.serve.feeds.own import OwnFeed
from flyball.serve.feeds.stream import PATH as FEED_PATH
from flyball.serve.feeds.stream import Telling
from flyball.units import MS_PER_S, Seconds

ABOUT = "/flyball/about"
OVERSIGHT = "/flyball/oversight"
ORDERS = "/flyball/orders"
OVERRIDES = "/flyball/overrides"


class FeedState(Struct, frozen=True, kw_only=True):
    """How much is known of a feed. `age_s` None = it was not heard since the start."""

    feed: str
    sequence: int
    age_s: Seconds | None


class Desk:
    """The calls. `rules` = which orders need two persons; `record` takes oversight records."""

    def __init__(
        self,
        parties: Parties,
        orders: Orders,
        overrides: Overrides,
        feed: OwnFeed,
        rules: Callable[[], Sequence[str]],
        feeds: Callable[[], list[FeedState]],
        record: Callable[[Oversight], None],
        now: Callable[[], Seconds],
    ) -> None:
        self._parties = parties
        self._orders = orders
        self._overrides = overrides
        self._rules = rules
        self._feeds = feeds
        self._record = record
        self._now = now
        self.telling = Telling(feed)

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """All of them, behind their guard."""
        return [
            web.get(ABOUT, self._about),
            web.get(OVERSIGHT, guard.person("read", self._page)),
            web.post(ORDERS, guard.person("stop", self._order)),
            web.get(ORDERS + "/{id}", guard.person("read", self._effect)),
            web.post(ORDERS + "/{id}/confirm", guard.person("read", self._confirm)),
            web.post(OVERRIDES, guard.person("override", self._override)),
            web.get(FEED_PATH, guard.listener(self._listen)),
        ]

    async def _about(self, request: web.Request) -> web.Response:
        return reply_json(self._parties.about())

    async def _page(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        waiting = [_shown(one) for one in self._orders.two_persons.waiting(self._now())]
        page = {
            **self._parties.about(),
            "at": self._now(),
            "you": caller,
            "feeds": self._feeds(),
            "waiting": waiting,
        }
        return reply_json(page)

    async def _order(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        return _told(await self._orders.take(body, caller))

    async def _effect(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        return reply_json(self._orders.effect_of(request.match_info["id"]))

    async def _confirm(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        order_id = request.match_info["id"]
        at = self._now()
        waits = {one.id: one for one in self._orders.two_persons.waiting(at)}
        one = waits.get(order_id)
        if one is None or one.act != "override":
            return _told(await self._orders.confirm(order_id, body, caller))
        order = _override(one.raw)
        self._overrides.check(order)
        self._orders.two_persons.confirm(order_id, caller.name, caller.role, at)
        return self._carried_out(order, one.by, caller.name)

    async def _override(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        order = _override(body)
        self._overrides.check(order)
        if not needs_second(self._rules(), "override", order.scope):
            return self._carried_out(order, caller.name, "")
        waiting = self._orders.two_persons.propose(
            order.id, "override", order.scope, caller.name, order.reason, body, self._now()
        )
        return _told(waiting)

    def _carried_out(self, order: Override, by: str, second: str) -> web.Response:
        begun = self._now()
        self._overrides.carry_out(order, by)
        at = self._now()
        effect = Effect(
            id=order.id, act="override", scope=order.scope, sequence=0, effect_s=at - begun
        )
        self._record(
            Oversight(
                id=f"oversight_{int(at * MS_PER_S):011x}{order.id[:8]}",
                at=at,
                act="override",
                scope=f"{order.scope}={order.to}",
                by=by,
                reason=order.reason,
                seconded_by=second,
                until=0.0 if order.for_s is None else at + order.for_s,
                effect_s=effect.effect_s,
            )
        )
        return reply_json(effect)

    async def _listen(
        self, request: web.Request, caller: Caller, body: bytes
    ) -> web.StreamResponse:
        return await self.telling.tell(request)


def _override(body: bytes) -> Override:
    try:
        return msgspec.json.decode(body, type=Override)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OrderError(400, f"the body is no override: {error}") from None


def _told(outcome: Effect | Waiting) -> web.Response:
    if isinstance(outcome, Effect):
        return reply_json(outcome)
    return reply_json({"waits_for_second_person": _shown(outcome)}, 202)


def _shown(one: Waiting) -> dict[str, Any]:
    """What waits; for a signed order also the order itself, which the second person signs too."""
    shown = msgspec.structs.asdict(one)
    raw: bytes = shown.pop("raw")
    return {**shown, "order": raw.decode()}
