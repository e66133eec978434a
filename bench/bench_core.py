"""How long does the core take for one request, at 8, 64 and 512 endpoints, caches warm?

`handle(RequestArrived)` alone, and the whole life of a request (arrived, first byte, served). The
requests carry the prefix of a known session, a principal and a class, as governed traffic does.
"""

import gc
import statistics
import sys
import time
from pathlib import Path

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.governor.events import FirstByte, RequestArrived, Served
from flyball.governor.governor import Governor
from flyball.model.request import Principal
from support import fleets

BUDGET_US = 25.0
JUDGED = (64, 6, "arrived")
ROUNDS = 7
REQUESTS = 2000
IN_FLIGHT = 20
SESSIONS = 64


def events(start: int, count: int, blocks: int) -> list[RequestArrived]:
    """`count` arrivals over `SESSIONS` sessions, each continuing its own prefix."""
    made: list[RequestArrived] = []
    for number in range(start, start + count):
        session = number % SESSIONS
        prefix = tuple(session * 1_000_003 + block * 7_919 for block in range(blocks))
        head = fleets.head(
            prompt_bytes=1500 + blocks * 1024,
            prefix=prefix,
            key_sha256="aa",
            session_hint=f"s{session}",
            session_source="header",
            body_digest=number,
        )
        made.append(
            RequestArrived(at=1.0 + number * 1e-3, request_id=f"r{number}", head=head, draw=0.37)
        )
    return made


def run(endpoints: int, blocks: int) -> tuple[list[float], list[float]]:
    """Microseconds per arrival, and per whole life, one figure a round."""
    policy = fleets.policy(
        principals=(Principal(name="ann", key_sha256="aa", default_class="chat"),)
    )
    governor = Governor(fleets.fleet(endpoints // 2, endpoints - endpoints // 2), policy)
    arrivals_us: list[float] = []
    lives_us: list[float] = []
    gc.collect()
    gc.freeze()
    gc.disable()  # as in the gateway, which collects in idle moments
    for turn in range(ROUNDS + 1):
        batch = events(turn * REQUESTS, REQUESTS, blocks)
        spent = whole = 0.0
        for start in range(0, REQUESTS, IN_FLIGHT):
            part = batch[start : start + IN_FLIGHT]
            begin = time.thread_time()
            for event in part:
                governor.handle(event)
            middle = time.thread_time()
            for event in part:
                end_of_life(governor, event, blocks)
            whole += time.thread_time() - begin
            spent += middle - begin
        governor.state.settled.clear()
        if turn:
            arrivals_us.append(spent / REQUESTS * 1e6)
            lives_us.append(whole / REQUESTS * 1e6)
    gc.enable()
    return arrivals_us, lives_us


def end_of_life(governor: Governor, event: RequestArrived, blocks: int) -> None:
    """Its first byte, and the end of its answer, when the core expects them."""
    flight = governor.state.flights[event.request_id]
    begun = event.at + flight.ttft_s
    governor.handle(FirstByte(at=begun, request_id=event.request_id))
    governor.handle(
        Served(
            at=begun + 19 * flight.tpot_s,
            request_id=event.request_id,
            status=200,
            input_tokens=375 + blocks * 256,
            cached_tokens=blocks * 256,
            output_tokens=20,
        )
    )


def main() -> None:
    rows: list[dict[str, object]] = []
    for endpoints, blocks in ((8, 6), (64, 6), (512, 6), (64, 0), (64, 32)):
        arrivals, lives = run(endpoints, blocks)
        for name, values in (("arrived", arrivals), ("arrived + first byte + served", lives)):
            rows.append(
                {
                    "figure": f"{name}, {endpoints} endpoints, prefix of {blocks} KB",
                    "value": statistics.median(values),
                    "unit": "us",
                    "spread": [min(values), max(values)],
                    "budget": BUDGET_US if (endpoints, blocks, name) == JUDGED else None,
                }
            )
    report.write("core", rows)


if __name__ == "__main__":
    main()
