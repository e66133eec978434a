"""Is the end of an answer read right from its last bytes, and the URL taken apart?"""

import pytest

from flyball.serve.load.wire import Connection, Exchange, Pool, ending, origin

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\n'


def _answered(tail: bytes, events: int) -> Exchange:
    exchange = Exchange(0, "all", b"", b"", 0.0)
    exchange.tail, exchange.events = tail, events
    return exchange


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://h:8080", ("h", 8080, "", False)),
        ("http://h/v1/", ("h", 80, "", False)),
        ("https://h/base/v1", ("h", 443, "/base", True)),
        ("h:81", ("h", 81, "", False)),
        ("http://[::1]:9", ("::1", 9, "", False)),
    ],
)
def test_origin(url: str, said: tuple[str, int, str, bool]) -> None:
    where = origin(url)
    assert (where.host, where.port, where.base, where.tls) == said


@pytest.mark.parametrize("url", ["ftp://h", "http://", "", "http://h:port"])
def test_not_a_url(url: str) -> None:
    with pytest.raises(ValueError):
        origin(url)


def test_authority_of_ipv6() -> None:
    assert origin("http://[::1]:9").authority == "[::1]:9"


def test_usage_and_end_mark() -> None:
    end = ending(_answered(b'oken":1}\n\n' + USAGE + b"data: [DONE]\n\n", 3))
    assert (end.usage.prompt_tokens, end.usage.completion_tokens, end.whole) == (7, 9, True)
    assert not ending(_answered(USAGE, 3)).whole


def test_usage_on_every_chunk_takes_the_last() -> None:
    first = USAGE.replace(b":9", b":1")
    assert ending(_answered(first + USAGE, 2)).usage.completion_tokens == 9


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":"queue_full","type":"t"}}', "queue_full"),
        (b'{"error":{"code":null,"type":"t"}}', "t"),
        (b'{"error":{"code":404}}', "404"),
        (b'{"error":"no"}', "error"),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_error_codes(body: bytes, code: str) -> None:
    assert ending(_answered(body, 0)).error == code


@pytest.mark.parametrize("step", [1, 2, 5, 7, 64, 4096])
def test_events_are_counted_across_any_split(step: int) -> None:
    chunk = b'data: {"choices":[{"delta":{"content":"data: x"}}]}\n\n'
    body = chunk * 40 + USAGE + b"data: [DONE]\n\n"
    pool_ended: list[Exchange] = []
    connection = Connection(lambda _, exchange: pool_ended.append(exchange))
    connection.connection_made(_Sink())  # type: ignore[arg-type]
    exchange = Exchange(0, "all", b"", b"", 0.0)
    connection.send(exchange)
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    for at in range(0, len(answer), step):
        connection.data_received(answer[at : at + step])
    assert pool_ended == [exchange]
    assert (exchange.events, exchange.cause, exchange.status) == (41, "", 200)
    assert ending(exchange).whole
    assert ending(exchange).usage.completion_tokens == 9


class _Sink:
    """A transport that keeps nothing."""

    def write(self, data: bytes) -> None: ...

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None: ...


def test_a_retry_says_so() -> None:
    exchange = Exchange(0, "all", b"head\r\n", b"", 0.0)
    assert exchange.bare_head() == b"head\r\n\r\n"
    exchange.retries = 2
    assert exchange.bare_head() == b"head\r\nx-stainless-retry-count: 2\r\n\r\n"


def test_a_pool_begins_empty() -> None:
    assert Pool(origin("http://h"), 4, lambda exchange: None).in_flight == 0
