"""Whose fault is it, what is its stable code, and what can be done about it?

Every refusal carries: the party at fault, a stable `code` (clients match on it), a sentence for a
person and the next step. `FAULTS` is the one table; the reference in docs/ is generated from it.
"""

from typing import Literal

from msgspec import Struct

Party = Literal["caller", "fleet", "policy", "own"]


class Fault(Struct, frozen=True, kw_only=True):
    """One kind of refusal. `openai_type` is the `type` field of OpenAI's error body."""

    code: str
    party: Party
    status: int
    openai_type: str
    message: str
    next_step: str
    should_retry: bool = False


def _fault(
    code: str, party: Party, status: int, kind: str, message: str, step: str, retry: bool = False
) -> Fault:
    return Fault(
        code=code,
        party=party,
        status=status,
        openai_type=kind,
        message=message,
        next_step=step,
        should_retry=retry,
    )


_BAD = "invalid_request_error"
_AUTH = "authentication_error"
_PERM = "permission_error"
_RATE = "rate_limit_error"
_FLEET = "service_unavailable_error"
_OWN = "server_error"

FAULTS: dict[str, Fault] = {
    fault.code: fault
    for fault in (
        _fault(
            "bad_http",
            "caller",
            400,
            _BAD,
            "The HTTP message is not well formed: {detail}.",
            "Send one valid HTTP/1.1 request per message.",
        ),
        _fault(
            "bad_json",
            "caller",
            400,
            _BAD,
            "The body is not valid JSON: {detail}.",
            "Send a JSON object as the body.",
        ),
        _fault("bad_field", "caller", 400, _BAD, "{detail}.", "Correct that field."),
        _fault(
            "body_too_large",
            "caller",
            413,
            _BAD,
            "The body is larger than {detail} bytes.",
            "Send less, or have the operator raise limits.body_bytes_max.",
        ),
        _fault(
            "head_too_large",
            "caller",
            431,
            _BAD,
            "The header is larger than {detail} bytes.",
            "Send fewer or shorter header fields.",
        ),
        _fault(
            "request_timeout",
            "caller",
            408,
            _BAD,
            "The request was not complete within {detail} s.",
            "Send it without pauses.",
            True,
        ),
        _fault(
            "length_required",
            "caller",
            411,
            _BAD,
            "The body has no length.",
            "Send Content-Length or chunked Transfer-Encoding.",
        ),
        _fault(
            "not_found",
            "caller",
            404,
            _BAD,
            "There is nothing at {detail}.",
            "See the list of routes in the guide.",
        ),
        _fault(
            "method_not_allowed",
            "caller",
            405,
            _BAD,
            "{detail}.",
            "Use the method named in the Allow header.",
        ),
        _fault(
            "missing_api_key",
            "caller",
            401,
            _AUTH,
            "No API key was sent.",
            "Send Authorization: Bearer KEY (or x-api-key).",
        ),
        _fault(
            "invalid_api_key",
            "caller",
            401,
            _AUTH,
            "The API key is not known here.",
            "Ask the operator for a key; keys stand under `principals` in the fleet file.",
        ),
        _fault(
            "model_not_found",
            "caller",
            404,
            _BAD,
            "The model {detail} is not served here.",
            "GET /v1/models lists the models.",
        ),
        _fault(
            "model_not_allowed",
            "policy",
            403,
            _PERM,
            "{detail}.",
            "The operator can add the model to this principal.",
        ),
        _fault(
            "class_not_allowed",
            "policy",
            403,
            _PERM,
            "{detail}.",
            "The operator can add the class to this principal.",
        ),
        _fault(
            "unknown_class",
            "caller",
            400,
            _BAD,
            "The class {detail} is not defined.",
            "Use a class of the fleet file in x-flyball-class, or none.",
        ),
        _fault(
            "jurisdiction_refused",
            "policy",
            403,
            _PERM,
            "No endpoint that serves this model stands in an allowed jurisdiction: {detail}.",
            "Allow another jurisdiction for the class, or add capacity there.",
        ),
        _fault(
            "no_endpoint",
            "fleet",
            503,
            _FLEET,
            "No endpoint can take this now: {detail}.",
            "Try again after the time in Retry-After.",
            True,
        ),
        _fault(
            "deadline_unreachable",
            "fleet",
            429,
            _RATE,
            "The promise cannot be kept now: {detail}.",
            "Try again after the time in Retry-After, or ask for a longer deadline.",
            True,
        ),
        _fault(
            "price_above_value",
            "fleet",
            429,
            _RATE,
            "The fleet is worth more to others now: {detail}.",
            "Try again after the time in Retry-After, or use a class of higher value.",
            True,
        ),
        _fault(
            "capacity_promised",
            "fleet",
            429,
            _RATE,
            "What room there is has been guaranteed to others: {detail}.",
            "Try again after the time in Retry-After, or ask for a quote earlier.",
            True,
        ),
        _fault(
            "quote_unknown",
            "caller",
            409,
            _BAD,
            "No open quote has this id: {detail}.",
            "Ask for a new quote, or send the request without x-flyball-quote.",
        ),
        _fault(
            "quote_mismatch",
            "caller",
            409,
            _BAD,
            "The quote does not cover this request: {detail}.",
            "Send what was quoted, or ask for another quote; this one stays open.",
        ),
        _fault(
            "mandate_invalid",
            "caller",
            401,
            _AUTH,
            "The mandate is not valid here: {detail}.",
            "Ask the person behind it for a new one; `flyball mandate inspect` shows what it says.",
        ),
        _fault(
            "mandate_check_busy",
            "own",
            503,
            _FLEET,
            "The mandate could not be checked in time: {detail}.",
            "Try again; nothing is wrong with it.",
            True,
        ),
        _fault(
            "mandate_expired",
            "caller",
            401,
            _AUTH,
            "The mandate does not hold now: {detail}.",
            "Ask the person behind it for a new one, and see that the clocks agree.",
        ),
        _fault(
            "mandate_revoked",
            "policy",
            403,
            _PERM,
            "The mandate was revoked: {detail}.",
            "Stop, and tell the person behind it; what was revoked does not come back.",
        ),
        _fault(
            "mandate_narrower",
            "policy",
            403,
            _PERM,
            "The mandate does not cover this: {detail}.",
            "Ask for what it covers, or have whoever delegated grant more.",
        ),
        _fault(
            "holder_not_shown",
            "caller",
            401,
            _AUTH,
            "The mandate is bound to a key, or must be, and that was not shown: {detail}.",
            "Send a DPoP proof (RFC 9449) made with the key that the mandate names.",
        ),
        _fault(
            "policy_digest_differs",
            "policy",
            403,
            _PERM,
            "The mandate may be used under one policy only: {detail}.",
            "Send it to where that policy is in force, or ask for a mandate under this one.",
        ),
        _fault(
            "revocation_stale",
            "own",
            503,
            _FLEET,
            "What was revoked is not known well enough here: {detail}.",
            "Try again when this gateway hears the revocations again.",
            True,
        ),
        _fault(
            "stopped",
            "policy",
            403,
            _PERM,
            "A person has stopped this: {detail}.",
            "Do not send it again; whoever stopped it can let it go on.",
        ),
        _fault(
            "policy_denied",
            "policy",
            403,
            _PERM,
            "Policy forbids this: {detail}.",
            "`flyball policy explain` says which fact decided, and who can change it.",
        ),
        _fault(
            "policy_error",
            "own",
            503,
            _FLEET,
            "Policy could not be decided, so the answer is no: {detail}.",
            "The operator must correct the bundle; `flyball policy check` finds the place.",
        ),
        _fault(
            "budget_exhausted",
            "policy",
            403,
            _PERM,
            "The mandate's budget does not cover this: {detail}.",
            "Ask for a shorter answer, or for a mandate with a larger budget.",
        ),
        _fault(
            "queue_full",
            "fleet",
            429,
            _RATE,
            "Too many requests are waiting: {detail}.",
            "Try again after the time in Retry-After.",
            True,
        ),
        _fault(
            "retry_budget_spent",
            "fleet",
            429,
            _RATE,
            "This is a retry and the fleet's retry budget is spent.",
            "Do not retry now: it would make things worse. Wait for Retry-After.",
            False,
        ),
        _fault(
            "sessions_full",
            "fleet",
            429,
            _RATE,
            "No new session can begin now: {detail}.",
            "Try again after the time in Retry-After; sessions already begun go on.",
            True,
        ),
        _fault(
            "session_budget_spent",
            "policy",
            403,
            _PERM,
            "This session has used up its budget: {detail}.",
            "Finish with what you have and report it, or start a new session; the operator sets "
            "the budget of the class, a client may only lower it.",
        ),
        _fault(
            "session_too_fast",
            "fleet",
            429,
            _RATE,
            "This session spends faster than its class may: {detail}.",
            "Wait for the time in Retry-After, then go on.",
            True,
        ),
        _fault(
            "session_runaway",
            "caller",
            403,
            _PERM,
            "This session goes round in circles and was stopped: {detail}.",
            "Do not send the same again: do something else, ask the user, or end with what you "
            "have; a call that brings something new is let through.",
        ),
        _fault(
            "deadline_exceeded",
            "fleet",
            504,
            _FLEET,
            "No answer within {detail} s.",
            "Try again with a longer deadline.",
            True,
        ),
        _fault(
            "upstream_failed",
            "fleet",
            502,
            _FLEET,
            "The engine failed: {detail}.",
            "Try again; the operator finds the endpoint in the record.",
            True,
        ),
        _fault(
            "upstream_garbage",
            "fleet",
            502,
            _FLEET,
            "The engine's answer is not valid HTTP: {detail}.",
            "Try again; the operator finds the endpoint in the record.",
            True,
        ),
        _fault(
            "draining",
            "own",
            503,
            _FLEET,
            "This gateway is shutting down.",
            "Try again; another worker will answer.",
            True,
        ),
        _fault(
            "overloaded",
            "own",
            503,
            _FLEET,
            "The gateway is at its limit: {detail}.",
            "Try again after the time in Retry-After.",
            True,
        ),
        _fault(
            "ledger_unavailable",
            "own",
            503,
            _FLEET,
            "The decision cannot be recorded, so it is not taken: {detail}.",
            "The operator must free space for the ledger; until then nothing is admitted.",
            True,
        ),
        _fault(
            "own_fault",
            "own",
            500,
            _OWN,
            "The gateway failed: {detail}.",
            "Report this with the request id.",
            False,
        ),
    )
}


class Refusal(Struct, frozen=True, kw_only=True):
    """One refusal as it goes to a client: the fault, its detail, when to retry and the price.

    `param` names the field at fault (OpenAI's `param`); `allow` lists the methods of a path that
    was asked with another one.
    """

    code: str
    detail: str = ""
    retry_after_s: float = 0.0
    price_usd: float = 0.0
    should_retry: bool | None = None
    param: str = ""
    allow: str = ""

    @property
    def fault(self) -> Fault:
        """The row of `FAULTS`; KeyError if the code is not there."""
        return FAULTS[self.code]

    @property
    def message(self) -> str:
        """The sentence for a person, with the next step."""
        fault = self.fault
        return f"{fault.message.format(detail=self.detail)} {fault.next_step}"
