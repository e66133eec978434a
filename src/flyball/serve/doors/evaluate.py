"""How do foreign enforcement points ask for decisions? (OpenID AuthZEN Authorization API 1.0.)"""

from collections.abc import Callable

from aiohttp import web

from flyball.authority.revocation.authzen import PlaceOf, QuestionError, evaluate, evaluate_all
from flyball.governor.authority import Authority
from flyball.serve.doors.guard import Guard, reply_json
from flyball.serve.doors.parties import Caller
from flyball.units import Seconds

ONE = "/access/v1/evaluation"
MANY = "/access/v1/evaluations"
METADATA = "/.well-known/authzen-configuration"
_ID = "x-request-id"


class Evaluation:
    """The decision point. `authority` = what is in force now; `place_of` knows the pools."""

    def __init__(
        self,
        authority: Callable[[], Authority],
        place_of: PlaceOf,
        now: Callable[[], Seconds],
    ) -> None:
        self._authority = authority
        self._place_of = place_of
        self._now = now

    def routes(self, guard: Guard) -> list[web.RouteDef]:
        """Decisions for those with a key; where they are made is open to all."""
        return [
            web.post(ONE, guard.evaluator(self._one)),
            web.post(MANY, guard.evaluator(self._many)),
            web.get(METADATA, self._metadata),
        ]

    async def _one(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        return self._answer(request, body, evaluate)

    async def _many(self, request: web.Request, caller: Caller, body: bytes) -> web.Response:
        return self._answer(request, body, evaluate_all)

    def _answer(
        self, request: web.Request, body: bytes, ask: Callable[..., dict[str, object]]
    ) -> web.Response:
        try:
            told = ask(body, self._authority(), self._place_of, self._now())
            reply = reply_json(told)
        except QuestionError as error:
            reply = reply_json({"error": str(error)}, 400)
            reply.why = str(error)[:200]
        if _ID in request.headers:
            reply.headers[_ID] = request.headers[_ID][:200]
        return reply

    async def _metadata(self, request: web.Request) -> web.Response:
        base = f"{request.scheme}://{request.host}"
        return reply_json(
            {
                "policy_decision_point": base,
                "access_evaluation_endpoint": base + ONE,
                "access_evaluations_endpoint": base + MANY,
            }
        )
