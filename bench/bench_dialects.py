"""What do reading a request, its usage and an engine's metrics page cost, against plain parsers?

Rivals: `json.loads` of the whole body (what a gateway in Python commonly does), and
`prometheus_client.parser`. Budgets are the project's: a request's head 3 us, a 64 KB page 100 us.
"""

import json
import statistics
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.dialects import surface
from flyball.dialects.engines import read_metrics
from support import pages

ROUNDS = 15
CHAT = b"/v1/chat/completions"
OPENAI_HEADERS = [
    (b"host", b"localhost:8080"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
    (b"accept", b"application/json"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"OpenAI/Python 3.52.0"),
    (b"x-stainless-lang", b"python"),
    (b"x-stainless-package-version", b"3.52.0"),
    (b"x-stainless-os", b"Linux"),
    (b"x-stainless-arch", b"x64"),
    (b"x-stainless-runtime", b"CPython"),
    (b"x-stainless-runtime-version", b"3.11.7"),
    (b"authorization", b"Bearer sk-abcdef0123456789"),
    (b"x-stainless-async", b"false"),
    (b"x-stainless-retry-count", b"0"),
    (b"x-stainless-read-timeout", b"600"),
    (b"content-length", b"1500"),
]
AGENT_HEADERS = [*OPENAI_HEADERS, (b"session-id", b"57a121ec-f78c-48c3-a745-e3036a3ecc33")]


def chat_body(size: int, **more: object) -> bytes:
    """A chat request of about `size` bytes."""
    messages = [{"role": "system", "content": "You are a careful assistant. " * 10}]
    while len(json.dumps(messages)) < size - 200:
        text = "What is the capital of France, and why does it matter? " * 3
        messages.append({"role": "user", "content": text})
    body = {"messages": messages, "model": "llama-3.1-8b", "max_tokens": 128, "temperature": 0.7}
    return json.dumps({**body, **more}).encode()


def measure_us(work: Callable[[], object], number: int) -> tuple[float, float]:
    """(median, spread) in microseconds per call; spread = (3rd - 1st quartile) / median."""
    rounds = [once / number * 1e6 for once in timeit.repeat(work, number=number, repeat=ROUNDS)]
    low, middle, high = statistics.quantiles(rounds, n=4)
    return middle, (high - low) / middle


def row(
    figure: str,
    work: Callable[[], object],
    number: int,
    budget: float | None = None,
    rival: tuple[str, Callable[[], object]] | None = None,
    note: str = "",
) -> dict[str, object]:
    """One row of the report; `ratio` = the rival's time over ours."""
    value, spread = measure_us(work, number)
    theirs = measure_us(rival[1], max(1, number // 10))[0] if rival else None
    return {
        "figure": figure,
        "value": round(value, 3),
        "unit": "us",
        "spread": round(spread, 3),
        "rival": rival[0] if rival else "",
        "ratio": round(theirs / value, 2) if theirs else None,
        "budget": budget,
        "note": note,
    }


def head_rows() -> list[dict[str, object]]:
    """Reading heads: the official client's headers, an agent's long prompt with tools."""
    small, long = chat_body(1500), chat_body(32_000)
    tools = [
        {"type": "function", "function": {"name": f"f{i}", "parameters": {}}} for i in range(40)
    ]
    agent = chat_body(32_000, tools=tools, stream=True)

    def read(body: bytes, headers: list[tuple[bytes, bytes]]) -> Callable[[], object]:
        return lambda: surface.read_head(b"POST", CHAT, headers, body)

    def rival(body: bytes) -> tuple[str, Callable[[], object]]:
        return "json.loads", lambda: json.loads(body)

    few = [OPENAI_HEADERS[0], OPENAI_HEADERS[4], OPENAI_HEADERS[12], OPENAI_HEADERS[16]]
    return [
        row("head, 1.5 KB chat, 4 headers", read(small, few), 20_000, 3.0, rival(small)),
        row("head, 1.5 KB chat, openai's 17 headers", read(small, OPENAI_HEADERS), 20_000, 3.0,
            rival(small)),
        row("head, 32 KB chat", read(long, OPENAI_HEADERS), 3_000, None, rival(long)),
        row("head, 34 KB agent's turn with tools and session", read(agent, AGENT_HEADERS), 3_000,
            None, rival(agent)),
        row("rename the model, 1.5 KB", lambda: surface.rewrite_model(small, "org/name"), 20_000),
    ]  # fmt: skip


def page_rows() -> list[dict[str, object]]:
    """Reading metrics pages and usage."""
    page = pages.vllm(ranks=1, histograms=23)
    four = pages.vllm(ranks=4, histograms=23)
    event = b'data: {"choices":[{"delta":{"content":"hello"}}],"usage":null}\n\n'
    last = b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5}}\n\n'
    tail = event * 60 + last + b"data: [DONE]\n\n"

    def parser() -> object:
        return list(text_string_to_metric_families(page.decode()))

    rival = ("prometheus_client.parser", parser)
    size = f"{len(page) / 1024:.0f} KB"
    return [
        row(f"vLLM page, {size}", lambda: read_metrics("vllm", page), 300, 100.0, rival),
        row("vLLM page, 4 engines", lambda: read_metrics("vllm", four), 300),
        row(
            "usage off a stream's last 4 KB", lambda: surface.read_usage(tail, "chat", True), 5_000
        ),
    ]


if __name__ == "__main__":
    report.write("dialects", [*head_rows(), *page_rows()])
