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

from flyball.authority.policy.cedar import CedarLibrary
from flyball.authority.policy.policies import load
from flyball.governor.events import BundlesSet, FirstByte, RequestArrived, Served
from flyball.governor.governor import Governor
from flyball.model.mandate import Mandate, Spend
from flyball.model.request import Principal
from support import fleets

BUDGET_US = 25.0
JUDGED = (64, 6, "arrived")
ROUNDS = 7
REQUESTS = 2000
IN_FLIGHT = 20
SESSIONS = 64
DIGEST = "sha256:bench"


def library() -> CedarLibrary:
    """The example's policies: residency, approved models, a ceiling on the cost of one request."""
    text = """
        @id("allow") permit (principal, action, resource);
        @id("home") forbid (principal, action, resource) when
          { context.dataClass == "special" && resource has jurisdiction
            && !(resource.jurisdiction in Jurisdiction::"EU") };
        @id("ceiling") forbid (principal, action == Action::"infer", resource)
          when { context.estCostMicroUsd > 1000000 };
    """
    return CedarLibrary({DIGEST: load({"site.cedar": text}, digest=DIGEST)})


def mandate(number: int) -> Mandate:
    """A person's agent, with a budget of its own and its person's."""
    return Mandate(
        chain=("root", f"agent-{number}"),
        human="https://idp.example|ann",
        delegates=(f"agent-{number}",),
        spends=(Spend("root", 10**12), Spend(f"agent-{number}", 10**11)),
        expires_at=1e9,
    )


def events(
    start: int, count: int, blocks: int, mandates: tuple[Mandate, ...] = ()
) -> list[RequestArrived]:
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
            mandate=mandates[session] if mandates else None,
        )
        made.append(
            RequestArrived(at=1.0 + number * 1e-3, request_id=f"r{number}", head=head, draw=0.37)
        )
    return made


def run(endpoints: int, blocks: int, is_governed: bool = False) -> tuple[list[float], list[float]]:
    """Microseconds per arrival, and per whole life, one figure a round. `is_governed` = under
    policies in Cedar and mandates with budgets."""
    policy = fleets.policy(
        principals=(Principal(name="ann", key_sha256="aa", default_class="chat"),)
    )
    fleet = fleets.fleet(endpoints // 2, endpoints - endpoints // 2)
    mandates: tuple[Mandate, ...] = ()
    if is_governed:
        mandates = tuple(mandate(number) for number in range(SESSIONS))
        governor = Governor(fleet, policy, library=library())
        governor.handle(BundlesSet(0.5, (DIGEST,)))
    else:
        governor = Governor(fleet, policy)
    arrivals_us: list[float] = []
    lives_us: list[float] = []
    gc.collect()
    gc.freeze()
    gc.disable()  # as in the gateway, which collects in idle moments
    for turn in range(ROUNDS + 1):
        batch = events(turn * REQUESTS, REQUESTS, blocks, mandates)
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
    cases = ((8, 6, 0), (64, 6, 0), (512, 6, 0), (64, 0, 0), (64, 32, 0), (64, 6, 1))
    for endpoints, blocks, is_governed in cases:
        arrivals, lives = run(endpoints, blocks, bool(is_governed))
        under = ", governed by Cedar, mandate and budget" if is_governed else ""
        for name, values in (("arrived", arrivals), ("arrived + first byte + served", lives)):
            rows.append(
                {
                    "figure": f"{name}, {endpoints} endpoints, prefix of {blocks} KB{under}",
                    "value": statistics.median(values),
                    "unit": "us",
                    "spread": [min(values), max(values)],
                    "budget": BUDGET_US if (endpoints, blocks, name) == JUDGED else None,
                }
            )
    report.write("core", rows)


if __name__ == "__main__":
    main()
