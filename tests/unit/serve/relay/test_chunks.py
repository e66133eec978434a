"""Is the end of a chunked body found exactly, however it is cut, and bad framing refused?"""

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.serve.relay.chunks import TRAILER_BYTES_MAX, ChunkScan, chunked

pieces = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
cuts = st.lists(st.integers(1, 30), max_size=40)


def encode(parts: list[bytes], extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%X%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    return chunks + b"0\r\n" + trailer + b"\r\n"


def feed_cut(data: bytes, sizes: list[int], body: bytearray | None) -> tuple[int, bool]:
    """Where the message ends, fed in pieces of these sizes (then byte by byte)."""
    scan = ChunkScan()
    at = 0
    for size in [*sizes, *[1] * len(data)]:
        piece = data[at : at + size]
        if not piece:
            break
        end = scan.feed(piece, body)
        if end >= 0:
            return at + end, scan.between_chunks
        at += len(piece)
    return -1, scan.between_chunks


@given(
    pieces, cuts, st.sampled_from([b"", b";a=b", b';a="b c"']), st.sampled_from([b"", b"X: y\r\n"])
)
def test_end_and_body_do_not_depend_on_cuts(
    parts: list[bytes], sizes: list[int], extension: bytes, trailer: bytes
) -> None:
    message = encode(parts, extension, trailer)
    body = bytearray()
    assert feed_cut(message + b"next", sizes, body)[0] == len(message)
    assert body == b"".join(parts)
    assert feed_cut(message + b"next", sizes, None)[0] == len(message)
    assert feed_cut(message[:-1], sizes, None)[0] == -1


@given(pieces, st.lists(st.integers(1, 3), max_size=8), st.sampled_from([b"", b";a=b"]))
def test_whole_chunks_one_or_several_at_a_time_read_as_byte_by_byte(
    parts: list[bytes], groups: list[int], extension: bytes
) -> None:
    chunks = [b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts]
    scan, slow = ChunkScan(), ChunkScan()
    while chunks:
        count = groups.pop() if groups else 1
        data, chunks = b"".join(chunks[:count]), chunks[count:]
        assert scan.feed(data) == -1 and scan.between_chunks
        assert {slow.feed(data[i : i + 1]) for i in range(len(data))} == {-1}
        assert slow.between_chunks
    assert scan.feed(b"0\r\n\r\nnext") == 5


class _Llhttp:
    def __init__(self) -> None:
        self.body = b""
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True


framing = st.lists(
    st.sampled_from(
        [
            b"3\r\nabc\r\n",
            b"0\r\n",
            b"\r\n",
            b"3",
            b";x",
            b"\n",
            b"\r",
            b" ",
            b"abc",
            b"a\r\n",
            b"0",
        ]
    ),
    max_size=8,
)


@given(framing)
def test_what_is_accepted_reads_the_same_in_llhttp(parts: list[bytes]) -> None:
    data = b"".join(parts)
    body = bytearray()
    try:
        end = ChunkScan().feed(data, body)
    except ValueError:
        return
    if end < 0:
        return
    other = _Llhttp()
    parser = httptools.HttpRequestParser(other)
    parser.feed_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    parser.feed_data(data[:end])
    assert other.complete and other.body == body


@pytest.mark.parametrize(
    "bad",
    [b"+1\r\n", b"g\r\n", b" 1\r\n", b"1 \r\n", b"0x1\r\n", b"1\n", b"-1\r\n", b"\r\n",
     b"1\r\nab\r\n", b"1\r\na\n", b"0\r\n x\r\n", b"0\r\nno colon\r\n", b"fffffffffffffffff\r\n",
     b"ffffffffffffffff\r\n",
     b"1;a\x00\r\n", b"1" * 20],
)  # fmt: skip
@pytest.mark.parametrize("cut", [1, 100])
def test_bad_framing_is_refused(bad: bytes, cut: int) -> None:
    scan = ChunkScan()
    with pytest.raises(ValueError):
        for at in range(0, len(bad), cut):
            scan.feed(bad[at : at + cut])
        scan.feed(b"\r\n\r\n")


def test_work_and_trailers_are_bounded() -> None:
    with pytest.raises(ValueError, match="small chunks"):
        ChunkScan(chunks_max=3).feed(b"1\r\na\r\n" * 4, bytearray())
    scan = ChunkScan()
    scan.feed(b"0\r\n")
    with pytest.raises(ValueError, match="trailer"):
        for _ in range(TRAILER_BYTES_MAX // 100 + 2):
            scan.feed(b"X: " + b"a" * 100 + b"\r\n")


def test_it_knows_when_it_stands_between_chunks() -> None:
    scan = ChunkScan()
    scan.feed(b"3\r\nabc\r\n")
    assert scan.between_chunks
    scan.feed(b"3\r\na")
    assert not scan.between_chunks
    scan.feed(b"bc\r\n4")
    assert not scan.between_chunks


def test_chunks_are_framed() -> None:
    assert chunked(b"abc", False) == b"3\r\nabc\r\n"
    assert chunked(b"abc", True) == b"3\r\nabc\r\n0\r\n\r\n"
    assert chunked(b"", True) == b"0\r\n\r\n" and chunked(b"", False) == b""
