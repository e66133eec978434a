"""Is this HTTP/1 head well formed beyond doubt, and what does it say of its body's length?

llhttp (through httptools) reads the fields. It is lenient in places where two implementations may
disagree on where a message ends (request smuggling), so this file refuses more than it does:
anything that RFC 9112 lets a server refuse and that no honest client sends. Sources: RFC 9110
section 5.5 and 7.2, RFC 9112 sections 3, 5 and 6.3.
"""

import re
from typing import Any

import httptools

from flyball.units import Bytes

_REQUEST_LINE = re.compile(rb"([A-Z]{1,16}) ([!-~]+) HTTP/1\.([01])\r\n")
_STATUS_LINE = re.compile(
    rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([^\x00-\x08\x0a-\x1f\x7f]*))?\r\n"
)
_AUTHORITY = re.compile(rb"https?://[^/?#@]+", re.IGNORECASE)
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:\[\]%-]*")
_BARE_LF = re.compile(rb"[^\r]\n")
_FRAMING = frozenset(
    (b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade")
)
_BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))
LENGTH_DIGITS_MAX = 15

Fields = list[tuple[bytes, bytes]]


class Request:
    """One request: origin-form `target`, fields with lower-case names, and its body when whole.

    `length` = bytes of the body announced, -1 = chunked.
    """

    __slots__ = (
        "body", "connection_fields", "expects_continue", "fields", "http10", "keep_alive",
        "length", "method", "target",
    )  # fmt: skip

    def __init__(self, method: bytes, target: bytes, http10: bool, fields: Fields) -> None:
        self.method = method
        self.target = target
        self.http10 = http10
        self.fields = fields
        self.keep_alive = not http10
        self.connection_fields: list[bytes] = []
        self.expects_continue = False
        self.length: Bytes = 0
        self.body = b""


class Response:
    """One answer's head. `length` = bytes of the body, -1 = chunked, -2 = until the stream ends."""

    __slots__ = ("connection_fields", "fields", "keep_alive", "length", "reason", "status")

    def __init__(self, status: int, reason: bytes, fields: Fields, keep_alive: bool) -> None:
        self.status = status
        self.reason = reason
        self.fields = fields
        self.keep_alive = keep_alive
        self.length: Bytes = UNTIL_END
        self.connection_fields: list[bytes] = []

    def field(self, name: bytes) -> bytes:
        """The first value of that lower-case name, b"" if there is none."""
        return next((value for key, value in self.fields if key == name), b"")


CHUNKED: Bytes = -1
UNTIL_END: Bytes = -2


class BadHead(ValueError):
    """The head is refused; `code` is a key of `model.faults.FAULTS`."""

    def __init__(self, detail: str, code: str = "bad_http") -> None:
        super().__init__(detail)
        self.code = code


class _Sink:
    """Where httptools puts fields."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: Fields = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value))


def has_bare_lf(part: bytes | bytearray) -> bool:
    """Whether a head still incomplete holds a line end that is not CR LF."""
    return _BARE_LF.search(part) is not None


def read_request(head: bytes) -> Request:
    """The request whose head, up to and with its empty line, is `head`. BadHead if in doubt."""
    line = _REQUEST_LINE.match(head)
    if line is None:
        raise BadHead("the request line is not METHOD SP target SP HTTP/1.1 CR LF")
    method = line[1]
    if method == b"CONNECT":
        raise BadHead("CONNECT is not offered", "method_not_allowed")
    request = Request(method, line[2], line[3] == b"0", _fields(httptools.HttpRequestParser, head))
    if line[2][:1] != b"/":
        request.target = _origin_form(method, line[2])
    elif b"#" in line[2]:
        raise BadHead("the target holds a fragment")
    _read_request_framing(request)
    return request


def _fields(parser: Any, head: bytes) -> Fields:
    """Fields as llhttp reads them. An offer to upgrade is passed over (RFC 9110 section 7.8)."""
    sink = _Sink()
    try:
        parser(sink).feed_data(head)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise BadHead(str(error) or "the head is not well formed") from None
    return sink.fields


def _origin_form(method: bytes, target: bytes) -> bytes:
    """The path of an absolute-form target; `*` only for OPTIONS (RFC 9112 section 3.2)."""
    if target == b"*" and method == b"OPTIONS":
        return target
    authority = _AUTHORITY.match(target)
    if authority is None or b"#" in target:
        raise BadHead("the target is neither a path nor an http URL")
    rest = target[authority.end() :]
    return rest if rest[:1] == b"/" else b"/" + rest


def _read_request_framing(request: Request) -> None:
    hosts = lengths = codings = 0
    for name, value in request.fields:
        if name not in _FRAMING:
            continue
        if name == b"host":
            hosts += 1
            if _HOST.fullmatch(value) is None:
                raise BadHead("the Host field is not a host")
        elif name == b"connection":
            _read_connection(request, value)
        elif name == b"content-length":
            lengths += 1
            request.length = _length(value)
        elif name == b"transfer-encoding":
            codings += 1
            if value.lower() != b"chunked":
                raise BadHead("the only transfer coding understood is `chunked`")
        elif name == b"expect":
            if value.lower() != b"100-continue":
                raise BadHead("the only expectation understood is `100-continue`")
            request.expects_continue = not request.http10
    if hosts > 1 or (not hosts and not request.http10):
        raise BadHead("exactly one Host field is needed")
    if lengths + codings > 1:
        raise BadHead("the length of the body is given more than once")
    if codings:
        if request.http10:
            raise BadHead("HTTP/1.0 knows no transfer coding")
        request.length = CHUNKED
    elif not lengths and request.method in _BODY_EXPECTED:
        raise BadHead("", "length_required")


def _length(value: bytes) -> Bytes:
    if not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
        raise BadHead("Content-Length is not a number of bytes")
    return int(value)


def _read_connection(message: Request | Response, value: bytes) -> None:
    """RFC 9112 section 9.3; fields named here are for this hop only (RFC 9110 section 7.6.1)."""
    if value == b"keep-alive":
        return
    for token in value.lower().split(b","):
        token = token.strip(b" \t")
        if token == b"close":
            message.keep_alive = False
        elif token and token != b"keep-alive":
            message.connection_fields.append(token)


def read_response(head: bytes, method: bytes) -> Response:
    """The answer to a `method` request whose head is `head`. BadHead if in doubt.

    The length of its body follows RFC 9112 section 6.3.
    """
    line = _STATUS_LINE.match(head)
    if line is None:
        raise BadHead("the status line is not HTTP/1.1 SP status SP reason CR LF")
    status = int(line[2])
    fields = _fields(httptools.HttpResponseParser, head)
    response = Response(status, line[3] or b"", fields, line[1] == b"1")
    for name, value in fields:
        if name == b"content-length":
            response.length = _length(value)
        elif name == b"transfer-encoding":
            if value.lower() != b"chunked" or response.length != UNTIL_END or line[1] == b"0":
                raise BadHead("the transfer coding is not `chunked` alone")
            response.length = CHUNKED
        elif name == b"connection":
            _read_connection(response, value)
    if method == b"HEAD" or status < 200 or status in (204, 304):
        response.length = 0
    elif response.length == UNTIL_END:
        response.keep_alive = False
    return response
