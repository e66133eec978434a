"""How many short streamed answers a second can one core of the load generator send and time?

The server is a second process that answers every request at once with a canned stream of eight
events, so the figure is the client's own: build the body, send, count events, read the usage.
"""

import asyncio
import statistics
import sys
from multiprocessing import Process, Queue
from time import process_time

import uvloop

import report
from flyball.dialects.traces.row import TraceRow
from flyball.serve.load.generator import Target, run_load

EVENTS = 8
RATES = (1000, 2000, 3000, 4000, 5000, 6000)
SECONDS = 4.0
ROUNDS = 3
BUDGET_RPS = 3000


def _canned() -> bytes:
    chunk = (
        b'data: {"id":"x","object":"chat.completion.chunk",'
        b'"choices":[{"index":0,"delta":{"content":" and"}}]}\n\n'
    )
    usage = (
        b'data: {"choices":[],'
        b'"usage":{"prompt_tokens":64,"completion_tokens":8,"total_tokens":72}}\n\n'
    )
    body = chunk * EVENTS + usage + b"data: [DONE]\n\n"
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


class _Server(asyncio.Protocol):
    """Answers each `POST` it sees; bodies of this bench hold no such word."""

    reply = _canned()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(self.reply * data.count(b"POST /"))


def _serve(ports: Queue) -> None:
    async def forever() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        ports.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(forever())


def _measure(url: str, rate: int) -> tuple[float, float, float, int]:
    """Answered per second, lag p99 (ms), CPU microseconds per request, requests not answered."""
    rows = [
        TraceRow(at_s=i / rate, input_tokens=64, output_tokens=EVENTS)
        for i in range(int(rate * SECONDS))
    ]
    cpu_s = process_time()
    done = uvloop.run(run_load(rows, Target(url=url, model="m")))
    cpu_s = process_time() - cpu_s
    lost = done.total.sent - done.total.answered
    lag_ms = (done.lag.p99_s or 0.0) * 1e3
    return done.total.answered / done.duration_s, lag_ms, cpu_s / len(rows) * 1e6, lost


def main() -> None:
    ports: Queue = Queue()
    server = Process(target=_serve, args=(ports,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ports.get()}"
    rows = []
    for rate in RATES:
        runs = [_measure(url, rate) for _ in range(ROUNDS)]
        reached, lag_ms, cpu_us = (statistics.median(run[i] for run in runs) for i in range(3))
        spread = max(run[0] for run in runs) - min(run[0] for run in runs)
        lost = sum(run[3] for run in runs)
        note = f"asked {rate}/s; lag p99 {lag_ms:.1f} ms; {cpu_us:.0f} us CPU each; {lost} lost"
        print(note, f"-> {reached:.0f}/s", file=sys.stderr)
        rows.append(
            {
                "figure": f"streamed answers at {rate} asked",
                "value": reached,
                "unit": "req/s",
                "spread": spread,
                "rival": "",
                "ratio": None,
                "budget": f">= {BUDGET_RPS}" if rate == BUDGET_RPS else "",
                "note": note,
            }
        )
    server.terminate()
    report.write("replay", rows)


if __name__ == "__main__":
    main()
