"""Where does a chunked message end, without touching its bytes?

The framing of RFC 9112 section 7.1, read strictly: one to sixteen hexadecimal digits, an optional
extension right after them, CR LF; no bare LF, no sign, no space. Bytes are passed on as they came;
only the request side asks for the decoded body.
"""

import re

from flyball.units import Bytes

LINE_BYTES_MAX: Bytes = 4096
TRAILER_BYTES_MAX: Bytes = 8192
CHUNK_BYTES_MAX: Bytes = 1 << 40
KNOWN_SIZES_MAX = 1024
SHORT_LINE_BYTES_MAX: Bytes = 32
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[^\x00-\x08\x0a-\x1f\x7f]{0,4096})?\r\n")
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[^\x00-\x08\x0a-\x1f\x7f]*\r\n")

_AT_SIZE, _IN_DATA, _AT_DATA_END, _AT_TRAILER, _DONE = range(5)


class _KnownSizes(dict[bytes, int]):
    """Chunk size line without its CR LF -> the size, read once each; 0 = look more closely."""

    def __missing__(self, line: bytes) -> int:
        size = _SIZE.fullmatch(line + b"\r\n")
        length = int(size[1], 16) if size is not None else 0
        if len(self) >= KNOWN_SIZES_MAX:
            self.clear()
        self[line] = length
        return length


_sizes = _KnownSizes()


def _skip_whole(data: bytes) -> int:
    """The index after the whole, plain chunks that `data` begins with: what streams consist of."""
    at = 0
    while True:
        line_end = data.find(b"\r\n", at, at + SHORT_LINE_BYTES_MAX)
        if line_end < 0:
            return at
        length = _sizes[data[at:line_end]]
        after = line_end + 4 + length
        if not length or data[after - 2 : after] != b"\r\n":
            return at
        at = after


class ChunkScan:
    """The state of one chunked body; `chunks_max` bounds the work that tiny chunks of a decoded
    body can ask for."""

    __slots__ = ("_chunks_left", "_left", "_part", "_phase", "_trailer_bytes")

    def __init__(self, chunks_max: int = 1 << 62) -> None:
        self._phase = _AT_SIZE
        self._left = 0
        self._part = b""
        self._trailer_bytes = 0
        self._chunks_left = chunks_max

    @property
    def between_chunks(self) -> bool:
        """Whether another chunk could be written here by someone else."""
        return self._phase == _AT_SIZE and not self._part

    def feed(self, data: bytes, body: bytearray | None = None) -> int:
        """Read on; returns the index in `data` after the message's last byte, -1 if it goes on.

        Chunk data is appended to `body` if there is one. ValueError says what framing is bad.
        """
        at = 0
        if body is None and not self._part and self._phase == _AT_SIZE:
            # An engine writes each event by itself: one whole chunk is what comes nearly always.
            line_end = data.find(b"\r\n", 0, SHORT_LINE_BYTES_MAX)
            length = _sizes[data[:line_end]] if line_end > 0 else 0
            if length and line_end + 4 + length == len(data) and data.endswith(b"\r\n"):
                return -1
            at = _skip_whole(data)
            if at == len(data):
                return -1
        joined = len(self._part)
        if joined:
            data = self._part + data
            self._part = b""
        end = self._scan(data, at, body)
        return end if end < 0 else end - joined

    def _scan(self, data: bytes, at: int, body: bytearray | None) -> int:
        while True:
            if self._phase == _IN_DATA:
                take = min(self._left, len(data) - at)
                if body is not None:
                    body += memoryview(data)[at : at + take]
                at += take
                self._left -= take
                if self._left:
                    return -1
                self._phase = _AT_DATA_END
            step = self._line(data, at)
            if step < 0:
                return -1
            at = step
            if self._phase == _DONE:
                return at

    def _line(self, data: bytes, at: int) -> int:
        """Read one framing line at `at`; returns the index after it, -1 if it is not whole yet."""
        if self._phase == _AT_SIZE:
            size = _SIZE.match(data, at)
            if size is None:
                return self._keep(data, at, "a chunk size")
            return self._begin(int(size[1], 16), size.end())
        if data.startswith(b"\r\n", at):
            self._phase = _AT_SIZE if self._phase == _AT_DATA_END else _DONE
            return at + 2
        if self._phase == _AT_DATA_END:
            if data[at:] not in (b"", b"\r"):
                raise ValueError("chunk data is not followed by CR LF")
            return self._keep(data, at, "the end of a chunk")
        trailer = _TRAILER.match(data, at)
        if trailer is None:
            return self._keep(data, at, "a trailer field")
        self._trailer_bytes += trailer.end() - at
        if self._trailer_bytes > TRAILER_BYTES_MAX:
            raise ValueError(f"the trailer is larger than {TRAILER_BYTES_MAX} bytes")
        return trailer.end()

    def _begin(self, length: Bytes, after: int) -> int:
        if length > CHUNK_BYTES_MAX:
            raise ValueError("a chunk size is out of range")
        self._chunks_left -= 1
        if self._chunks_left < 0:
            raise ValueError("too many small chunks")
        self._left = length
        self._phase = _IN_DATA if length else _AT_TRAILER
        return after

    def _keep(self, data: bytes, at: int, what: str) -> int:
        part = data[at:]
        if b"\n" in part or len(part) > LINE_BYTES_MAX:
            raise ValueError(f"{what} is not well formed")
        if self._phase == _AT_SIZE and part and part[:1] not in b"0123456789abcdefABCDEF":
            raise ValueError("a chunk size is not hexadecimal")
        self._part = part
        return -1


def chunked(data: bytes, is_last: bool) -> bytes:
    """One chunk of RFC 9112 section 7.1, and the last one after it if wanted."""
    chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
    return chunk + b"0\r\n\r\n" if is_last else chunk
