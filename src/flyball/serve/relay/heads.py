"""Is this HTTP/1 head well formed beyond doubt, and what does it say of its body's length?

A strict grammar, narrower than RFC 9112 where two implementations may disagree on where a message
ends (request smuggling): every line ends with CR LF, every field line matches in full, no folding,
one length at most. The tests hold it against llhttp: what is accepted here reads the same there.
Lines seen before are remembered, as clients and engines repeat themselves. Sources: RFC 9110
sections 5.5, 7.2 and 7.6.1, RFC 9112 sections 3, 5, 6.3 and 9.3.
"""

import re

from flyball.units import Bytes

CHUNKED: Bytes = -1
UNTIL_END: Bytes = -2
LENGTH_DIGITS_MAX = 15
KNOWN_LINES_MAX = 4096
KNOWN_LINE_BYTES_MAX: Bytes = 256
METHODS = frozenset(
    (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE", b"CONNECT")
)
_BODY_EXPECTED = frozenset((b"POST", b"PUT", b"PATCH"))

_REQUEST_LINE = re.compile(rb"([A-Z]+) ([!-~]+) HTTP/1\.([01])")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*((?:[^\x00-\x08\x0a-\x1f\x7f]*[^\x00- \x7f])?)[ \t]*"
)
_AUTHORITY = re.compile(rb"https?://[A-Za-z0-9._~!$&'()*+,;=:\[\]%-]+", re.IGNORECASE)
_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=:\[\]%-]*")
_BARE_LF = re.compile(rb"[^\r]\n")

# What a field is to a relay. PLAIN and what follows up to LAST_PASSED goes on to the other side.
PLAIN, REQUEST_ID, CONTENT_TYPE, HOP, KEY, HOST, LENGTH, CODING, CONNECTION, EXPECT = range(10)
LAST_PASSED = CONTENT_TYPE
_OWN_PREFIX = b"x-flyball-"
_BOTH: dict[bytes, int] = {
    b"connection": CONNECTION,
    b"content-length": LENGTH,
    b"content-type": CONTENT_TYPE,
    b"keep-alive": HOP,
    b"proxy-authenticate": HOP,
    b"proxy-authorization": HOP,
    b"proxy-connection": HOP,
    b"te": HOP,
    b"trailer": HOP,
    b"transfer-encoding": CODING,
    b"upgrade": HOP,
    b"x-request-id": REQUEST_ID,
}
# accept-encoding stays here: an answer must be readable, as its token counts stand at its end.
_OF_REQUESTS: dict[bytes, int] = {
    b"accept-encoding": HOP,
    b"api-key": KEY,
    b"authorization": KEY,
    b"content-type": PLAIN,
    b"cookie": KEY,
    b"expect": EXPECT,
    b"host": HOST,
    b"x-api-key": KEY,
}

Fields = list[tuple[bytes, bytes]]


class BadHead(ValueError):
    """The head is refused; `code` is a key of `model.faults.FAULTS`."""

    def __init__(self, detail: str, code: str = "bad_http") -> None:
        super().__init__(detail)
        self.code = code


class Request:
    """One request: origin-form `target`, fields with lower-case names, and its body when whole.

    `length` = bytes of the body announced, -1 = chunked. `passed` and `keys` are the field lines
    that may go on to an engine, as they came; `keys` are those that prove who the client is.
    """

    __slots__ = (
        "body",
        "connection_fields",
        "expects_continue",
        "fields",
        "has_request_id",
        "http10",
        "keep_alive",
        "keys",
        "length",
        "method",
        "passed",
        "target",
    )

    def __init__(self, method: bytes, target: bytes, http10: bool) -> None:
        self.method = method
        self.target = target
        self.http10 = http10
        self.keep_alive = not http10
        self.fields: Fields = []
        self.passed: list[bytes] = []
        self.keys: list[bytes] = []
        self.connection_fields: list[bytes] = []
        self.has_request_id = False
        self.expects_continue = False
        self.length: Bytes = 0
        self.body = b""


class Response:
    """One answer's head. `length` = bytes of the body, -1 = chunked, -2 = until the stream ends.

    `passed` are the field lines that go on to the client, as they came; `announced` is the value of
    Content-Length, b"" if there is none.
    """

    __slots__ = (
        "announced",
        "connection_fields",
        "content_type",
        "fields",
        "has_request_id",
        "keep_alive",
        "length",
        "passed",
        "status",
        "status_line",
    )

    def __init__(self, status: int, status_line: bytes, keep_alive: bool) -> None:
        self.status = status
        self.status_line = status_line
        self.keep_alive = keep_alive
        self.fields: Fields = []
        self.passed: list[bytes] = []
        self.connection_fields: list[bytes] = []
        self.has_request_id = False
        self.content_type = b""
        self.announced = b""
        self.length: Bytes = UNTIL_END

    @property
    def is_event_stream(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.content_type.startswith(b"text/event-stream")


class _KnownLines(dict[bytes, tuple[tuple[bytes, bytes], int]]):
    """Field line -> ((lower-case name, value), what it is to a relay), read once each."""

    def __init__(self, kinds: dict[bytes, int]) -> None:
        super().__init__()
        self._kinds = kinds

    def __missing__(self, line: bytes) -> tuple[tuple[bytes, bytes], int]:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise BadHead("a field line is not NAME: VALUE")
        name = match[1].lower()
        kind = HOP if name.startswith(_OWN_PREFIX) else self._kinds.get(name, PLAIN)
        if kind == HOST and _HOST.fullmatch(match[2]) is None:
            raise BadHead("the Host field is not a host")
        entry = ((name, match[2]), kind)
        if len(line) <= KNOWN_LINE_BYTES_MAX:
            if len(self) >= KNOWN_LINES_MAX:
                self.clear()
            self[line] = entry
        return entry


class _KnownRequestLines(dict[bytes, tuple[bytes, bytes, bool]]):
    """Request line -> (method, origin-form target, whether it is HTTP/1.0)."""

    def __missing__(self, line: bytes) -> tuple[bytes, bytes, bool]:
        match = _REQUEST_LINE.fullmatch(line)
        if match is None or match[1] not in METHODS:
            raise BadHead("the request line is not METHOD target HTTP/1.1")
        entry = (match[1], _origin_form(match[1], match[2]), match[3] == b"0")
        if len(line) <= KNOWN_LINE_BYTES_MAX:
            if len(self) >= KNOWN_LINES_MAX:
                self.clear()
            self[line] = entry
        return entry


class _KnownStatusLines(dict[bytes, tuple[int, bytes, bool]]):
    """Status line -> (status, the same line as HTTP/1.1, whether it was HTTP/1.0)."""

    def __missing__(self, line: bytes) -> tuple[int, bytes, bool]:
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise BadHead("the status line is not HTTP/1.1 STATUS REASON")
        entry = (int(match[2]), b"HTTP/1.1" + line[8:], match[1] == b"0")
        if len(line) <= KNOWN_LINE_BYTES_MAX:
            if len(self) >= KNOWN_LINES_MAX:
                self.clear()
            self[line] = entry
        return entry


_request_starts = _KnownRequestLines()
_status_lines = _KnownStatusLines()
_request_lines = _KnownLines(_BOTH | _OF_REQUESTS)
_response_lines = _KnownLines(_BOTH)


def has_bare_lf(part: bytes | bytearray) -> bool:
    """Whether a head still incomplete holds a line end that is not CR LF."""
    return _BARE_LF.search(part) is not None


def read_request(head: bytes) -> Request:
    """The request whose head is `head`, without its empty line. BadHead if in doubt."""
    lines = iter(head.split(b"\r\n"))
    request = Request(*_request_starts[next(lines)])
    fields, passed, known = request.fields, request.passed, _request_lines
    hosts = lengths = 0
    for line in lines:
        field, kind = known[line]
        fields.append(field)
        if not kind:
            passed.append(line)
        elif kind == KEY:
            request.keys.append(line)
        elif kind == HOST:
            hosts += 1
        elif kind == LENGTH:
            lengths += 1
            request.length = _length(field[1])
        elif kind > LAST_PASSED:
            lengths += kind == CODING
            _read_rare(request, kind, field[1])
        else:
            request.has_request_id = True
            passed.append(line)
    if hosts != 1 and (hosts or not request.http10):
        raise BadHead("exactly one Host field is needed")
    if lengths > 1:
        raise BadHead("the length of the body is given more than once")
    if not lengths and request.method in _BODY_EXPECTED:
        raise BadHead("", "length_required")
    return request


def _read_rare(request: Request, kind: int, value: bytes) -> None:
    if kind == CONNECTION:
        _read_connection(request, value)
    elif kind == CODING:
        if value.lower() != b"chunked" or request.http10:
            raise BadHead("the only transfer coding understood is `chunked`, in HTTP/1.1")
        request.length = CHUNKED
    elif kind == EXPECT:
        if value.lower() != b"100-continue":
            raise BadHead("the only expectation understood is `100-continue`")
        request.expects_continue = not request.http10


def _origin_form(method: bytes, target: bytes) -> bytes:
    """The path to ask for (RFC 9112 section 3.2): of an absolute-form target without its
    authority; `*` only for OPTIONS."""
    if method == b"CONNECT":
        raise BadHead("CONNECT is not offered", "method_not_allowed")
    if b"#" in target:
        raise BadHead("the target holds a fragment")
    if target[:1] == b"/" or (target == b"*" and method == b"OPTIONS"):
        return target
    authority = _AUTHORITY.match(target)
    if authority is None or target[authority.end() : authority.end() + 1] not in b"/?":
        raise BadHead("the target is neither a path nor an http URL")
    rest = target[authority.end() :]
    return rest if rest[:1] == b"/" else b"/" + rest


def _length(value: bytes) -> Bytes:
    if not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
        raise BadHead("Content-Length is not a number of bytes")
    return int(value)


def _read_connection(message: Request | Response, value: bytes) -> None:
    """RFC 9112 section 9.3; fields named here are for this hop only (RFC 9110 section 7.6.1)."""
    for token in value.lower().split(b","):
        token = token.strip(b" \t")
        if token == b"close":
            message.keep_alive = False
        elif token and token != b"keep-alive":
            message.connection_fields.append(token)


def read_response(head: bytes, method: bytes) -> Response:
    """The answer to a `method` request whose head is `head`, without its empty line. BadHead if in
    doubt. The length of its body follows RFC 9112 section 6.3."""
    lines = iter(head.split(b"\r\n"))
    status, status_line, http10 = _status_lines[next(lines)]
    response = Response(status, status_line, not http10)
    fields, passed, known = response.fields, response.passed, _response_lines
    lengths = 0
    for line in lines:
        field, kind = known[line]
        fields.append(field)
        if not kind:
            passed.append(line)
        elif kind == CONTENT_TYPE:
            passed.append(line)
            response.content_type = field[1]
        elif kind == LENGTH:
            lengths += 1
            response.announced = field[1]
            response.length = _length(field[1])
        elif kind == CODING:
            lengths += 1
            if field[1].lower() != b"chunked" or http10:
                raise BadHead("the transfer coding is not `chunked`")
            response.length = CHUNKED
        elif kind == CONNECTION:
            _read_connection(response, field[1])
        elif kind == REQUEST_ID:
            passed.append(line)
            response.has_request_id = True
    if lengths > 1:
        raise BadHead("the length of the body is given more than once")
    if method == b"HEAD" or status < 200 or status in (204, 304):
        response.length = 0
    elif not lengths:
        response.keep_alive = False
    return response


def without(lines: list[bytes], names: list[bytes]) -> list[bytes]:
    """The field lines whose name (lower-case) is not among `names`."""
    return [line for line in lines if line.partition(b":")[0].lower() not in names]
