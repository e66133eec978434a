"""How does an identity provider tell that somebody's session is over?

`POST /flyball/sets` takes security event tokens by push (RFC 8935: 202, or 400 with `err`), and
`POST /flyball/logout` logout tokens (OIDC back-channel logout: 200, or 400 with `error`).
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qs

from aiohttp import web

from flyball.authority.revocation.revocation import Revocation
from flyball.authority.revocation.setevents import (
    TOKEN_BYTES_MAX,
    Ended,
    Issuer,
    SetError,
    SetReader,
    read_keys,
)
from flyball.serve.config.oversight import IssuerSection
from flyball.serve.doors.fault import DoorFault
from flyball.serve.doors.guard import Guard, Reply, reply_json
from flyball.serve.doors.parties import Caller
from flyball.units import Seconds

SETS = "/flyball/sets"
LOGOUT = "/flyball/logout"
ISSUER = "issuer"
_FORM = "application/x-www-form-urlencoded"


class Sessions:
    """Receives both kinds of token. `revoke` puts a revocation in force. DoorFault for keys that
    cannot be pinned."""

    def __init__(
        self,
        issuers: tuple[IssuerSection, ...],
        revoke: Callable[[Revocation], Awaitable[object]],
        now: Callable[[], Seconds],
    ) -> None:
        self._reader = SetReader(tuple(_issuer(one) for one in issuers))
        self._revoke = revoke
        self._now = now

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """Their own signature says who calls: the caller is known once the token is read."""
        return [
            web.post(SETS, guard.open(_issuer_unread, self._security_event)),
            web.post(LOGOUT, guard.open(_issuer_unread, self._logout)),
        ]

    async def _security_event(
        self, request: web.Request, caller: Caller, body: bytes
    ) -> web.StreamResponse:
        if request.content_type != "application/secevent+jwt":
            return _refused("err", SetError("invalid_request", "send application/secevent+jwt"))
        try:
            ended = self._reader.security_event(body, self._now())
        except SetError as error:
            return _refused("err", error)
        return await self._end(ended, Reply(status=202))

    async def _logout(
        self, request: web.Request, caller: Caller, body: bytes
    ) -> web.StreamResponse:
        given = parse_qs(body[: 2 * TOKEN_BYTES_MAX].decode("ascii", "replace"))
        tokens = given.get("logout_token", [])
        if request.content_type != _FORM or len(tokens) != 1:
            return _refused("error", SetError("invalid_request", "send logout_token=TOKEN"))
        try:
            ended = self._reader.logout(tokens[0].encode(), self._now())
        except SetError as error:
            return _refused("error", error)
        return await self._end(ended, reply_json({}))

    async def _end(self, ended: Ended, reply: Reply) -> Reply:
        if ended.revocation is not None:
            await self._revoke(ended.revocation)
        reply.caller = Caller(f"issuer {ended.issuer}", ISSUER)
        return reply


def _issuer_unread(request: web.Request, body: bytes) -> Caller:
    return Caller("", ISSUER)


def _refused(name: str, error: SetError) -> web.Response:
    reply = reply_json({name: error.code, "description": str(error)}, 400)
    reply.why = f"{error.code}: {error}"
    return reply


def _issuer(one: IssuerSection) -> Issuer:
    path = Path(one.keys)
    try:
        return Issuer(one.issuer, one.audience, read_keys(path.read_bytes()))
    except OSError as fault:
        raise DoorFault(f"{path} (keys of {one.issuer}): {fault.strerror}.") from None
    except ValueError as fault:
        raise DoorFault(f"{path} (keys of {one.issuer}): {fault}.") from None
