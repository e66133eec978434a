"""Which header bytes go to an engine, and which come back to a client?

Fields for one hop only are left out on both sides (RFC 9110 section 7.6.1); the client's key never
reaches an engine unless its endpoint says so. Everything else passes as it came, in its order.
"""

from dataclasses import dataclass
from http import HTTPStatus

from flyball.governor.commands import Forward
from flyball.model.request import Operation
from flyball.serve.relay.heads import CHUNKED, UNTIL_END, Fields, Request, Response, without
from flyball.serve.relay.upstream import Address
from flyball.units import MS_PER_S, Seconds

_REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}


@dataclass(frozen=True, kw_only=True, repr=False)
class Access:
    """How one endpoint is entered. `key` is its own secret, "" = none; `forwards_client_key` lets
    the client's own pass instead (an endpoint that knows this gateway's clients)."""

    key: str = ""
    forwards_client_key: bool = False

    def __repr__(self) -> str:
        return f"Access(key={'set' if self.key else 'none'})"


class KeptError:
    """An engine's own refusal, kept for the case that no other engine answers."""

    __slots__ = ("body", "is_whole", "response")

    def __init__(self, response: Response) -> None:
        self.response = response
        self.body = bytearray()
        self.is_whole = True


def request_head(
    request: Request,
    address: Address,
    access: Access,
    operation: Operation,
    request_id: str,
    target: bytes,
    body_bytes: int,
    left_ms: float = 0.0,
) -> bytes:
    """The head to send to an engine, with its empty line.

    `left_ms` above 0 = how long the engine has from now on, its network taken off.
    """
    lines = [
        b"%b %b%b HTTP/1.1\r\nHost: %b"
        % (request.method, address.base_path, target, address.authority)
    ]
    lines += request.passed
    if access.forwards_client_key:
        lines += request.keys
    if request.connection_fields:
        lines[1:] = without(lines[1:], request.connection_fields)
    if not request.has_request_id:
        lines.append(b"x-request-id: " + request_id.encode("ascii"))
    if left_ms > 0.0:
        lines.append(b"x-flyball-deadline-ms: %.3f" % left_ms)
    if access.key:
        own = "x-api-key: " if operation == "message" else "authorization: Bearer "
        lines.append((own + access.key).encode("latin-1"))
    if body_bytes or request.length:
        lines.append(b"content-length: %d" % body_bytes)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def flyball_lines(request_id: str, forward: Forward, place: bytes, arrived_at: Seconds) -> bytes:
    """The `x-flyball-*` field lines of an answer: what was decided, and at which price."""
    allowance = forward.allowance
    left_ms = int((allowance.deadline_at - arrived_at) * MS_PER_S)
    own = (
        f"x-flyball-request-id: {request_id}\r\n"
        f"x-flyball-price-usd: {forward.price_usd:.9f}\r\n"
        f"x-flyball-price-version: {forward.board_version}\r\n"
        f"x-flyball-allowance: tokens={allowance.tokens_kept};"
        f"output={allowance.output_tokens_max};attempts={allowance.attempts_max};"
        f"deadline-ms={left_ms}\r\n"
        f"x-flyball-rule: {forward.rule}\r\n"
    )
    return place + own.encode("latin-1", "replace")


def place_lines(pool: str, endpoint: str) -> bytes:
    """The `x-flyball-*` field lines that name where an answer came from."""
    text = f"x-flyball-pool: {pool}\r\nx-flyball-endpoint: {endpoint}\r\n"
    return text.encode("latin-1", "replace")


def response_head(
    response: Response, request_id: str, own_lines: bytes, length: int, keep_alive: bool
) -> bytes:
    """The head of an engine's answer as it goes to the client, with its empty line.

    `length` as in `Response.length`: -1 chunked, -2 until the connection closes.
    """
    lines = [response.status_line]
    lines += response.passed
    if response.connection_fields:
        lines[1:] = without(lines[1:], response.connection_fields)
    if not response.has_request_id:
        lines.append(b"x-request-id: " + request_id.encode("ascii"))
    if length == CHUNKED:
        lines.append(b"transfer-encoding: chunked")
    elif response.announced:
        lines.append(b"content-length: " + response.announced)
    elif length != UNTIL_END and response.status not in (204, 304):
        lines.append(b"content-length: %d" % length)
    if not keep_alive:
        lines.append(b"connection: close")
    lines.append(own_lines)
    return b"\r\n".join(lines) + b"\r\n"


def whole_answer(
    status: int,
    fields: Fields,
    body: bytes,
    keep_alive: bool,
    own_lines: bytes = b"",
    without_body: bool = False,
) -> bytes:
    """An answer of the gateway's own, head and body. `without_body` = it answers HEAD."""
    lines = [b"HTTP/1.1 %d %b" % (status, _REASONS.get(status, b"Unknown"))]
    lines += [name + b": " + value for name, value in fields]
    lines.append(b"content-length: %d" % len(body))
    if not keep_alive:
        lines.append(b"connection: close")
    lines.append(own_lines)
    return b"\r\n".join(lines) + b"\r\n" + (b"" if without_body else body)
