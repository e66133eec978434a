"""Does diagnosis warn before the alert does, when a fleet is steered toward its cliff?

A small fleet that nobody governs: two engines, a gateway that only observes, clients that try again
as OpenAI's SDK does. The load rises until answers come late; who gives up asks again, which adds to
the load. Printed are the time of the first finding and of the alert on the same answers, whichever
came first.
"""

import asyncio
import json
import random
import time
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from msgspec import Struct

from flyball.cli.demo_run import await_gateway, free_port, spawn, url_of
from flyball.dialects.traces.row import TraceRow
from flyball.model.request import Promise
from flyball.serve.load.report import Answer
from flyball.units import Seconds

SECONDS: Seconds = 8.0
RATE_FROM, RATE_TO = 2.0, 26.0
PROMPT_TOKENS, ANSWER_TOKENS = 500, 8
TTFT_S, PATIENCE_S = 1.0, 1.5
RETRIES = 2
LOOK_S = 0.25
# The rule by which a service's error budget pages (`governor.objectives`): 14.4 times too fast over
# an hour and over 5 minutes, both of which begin here with the load.
OBJECTIVE, BURN_MAX, ANSWERS_MIN = 0.99, 14.4, 20
CLIENTS = "openai-sdk"
KEY = "cliff-key"
MODEL = "llama-3.1-8b"
ENGINES = ("hamburg-l4-1", "hamburg-l4-2")
PROMISE = Promise(ttft_s=TTFT_S)

_FILE = """\
version: v1
listen: {{host: 127.0.0.1, port: {port}}}
mode: observe
sites: {{hamburg: {{jurisdiction: EU}}}}
pools:
  edge-l4:
    site: hamburg
    engine: vllm
    profile: l4/llama-3.1-8b
    models: [{model}]
    endpoints: [{endpoints}]
classes: {{chat: {{value_usd: 0.01, ttft_ms: {ttft_ms}, output_tokens_mean: {answer}}}}}
principals: {{demo: {{key_sha256: {key}}}}}
pricing: {{solve_interval_s: 1, tick_ms: 500}}
foreign_loops: # what the clients do, as far as this operator knows
  - {{name: {clients}, law: sdk-retry, actuator: client.retries, gain: 0.5}}
diagnosis: {{interval_s: 0.5}}
ledger: {{folder: {ledger}}}
"""


class Cliff(Struct, kw_only=True):
    """What was seen, in seconds from the first request; None = it did not come."""

    found_s: Seconds | None = None
    finding: dict[str, Any] | None = None
    answers: list[Answer] = []
    until_s: Seconds = 0.0


def cliff(folder: Path, seed: int) -> Cliff:
    """Run it, some twelve seconds in all. Raises DemoFault where a process does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        words = ["engine", "--profile", "l4/llama-3.1-8b", "--port", "0", "--served-model", MODEL]
        engines = {
            name: spawn(stack, [*words, "--name", name], folder / f"{name}.log") for name in ENGINES
        }
        urls = {name: url_of(process, name, folder) for name, process in engines.items()}
        port = free_port()
        (folder / "fleet.yaml").write_text(
            _FILE.format(
                port=port,
                model=MODEL,
                clients=CLIENTS,
                answer=ANSWER_TOKENS,
                ttft_ms=1000.0 * TTFT_S,
                endpoints=", ".join(f"{{name: {n}, url: {u!r}}}" for n, u in urls.items()),
                key=sha256(KEY.encode()).hexdigest(),
                ledger=str((folder / "ledger").absolute()),
            )
        )
        url = await_gateway(stack, folder, port)
        return asyncio.run(_drive(url, rows(seed)))


def rows(seed: int) -> list[TraceRow]:
    """Requests alike, by a Poisson process whose rate rises in a line (thinned; Lewis & Shedler
    1979)."""
    chance = random.Random(seed)
    found: list[TraceRow] = []
    at = 0.0
    while (at := at + chance.expovariate(RATE_TO)) < SECONDS:
        if chance.random() * RATE_TO < RATE_FROM + (RATE_TO - RATE_FROM) * at / SECONDS:
            found.append(
                TraceRow(
                    at_s=at,
                    input_tokens=PROMPT_TOKENS,
                    output_tokens=ANSWER_TOKENS,
                    class_name="chat",
                )
            )
    return found


async def _drive(url: str, load: list[TraceRow]) -> Cliff:
    """Send the load; look at the gateway's findings; end when both have come, or the load has."""
    from flyball.serve.load.generator import Target, run_load

    target = Target(
        url=url,
        api_key=KEY,
        model=MODEL,
        promises={"chat": PROMISE, "all": PROMISE},
        timeout_s=30.0,
        retries=RETRIES,
        patience_s={"chat": PATIENCE_S},
    )
    seen, begun, stop = Cliff(answers=[]), time.monotonic(), asyncio.Event()
    sending = asyncio.create_task(run_load(load, target, None, seen.answers.append, stop))
    while not sending.done() and seen.until_s < SECONDS + 0.5:
        await asyncio.sleep(LOOK_S)
        await _look(url, seen, begun)
        seen.until_s = time.monotonic() - begun
    stop.set()
    await sending
    return seen


async def _look(url: str, seen: Cliff, begun: float) -> None:
    """The first finding about margins that stands, when it was seen here."""
    page = await asyncio.to_thread(_page, url)
    found = [one for one in page.get("findings", []) if one["area"] == "margin"]
    if found and seen.found_s is None:
        seen.found_s, seen.finding = time.monotonic() - begun, found[0]


def _page(url: str) -> dict[str, Any]:
    try:
        with urlopen(url + "/v1/flyball/findings", timeout=1.0) as answer:
            return json.load(answer)
    except (URLError, OSError, ValueError):
        return {}


def alert(answers: list[Answer], until_s: Seconds) -> tuple[Seconds, int, int] | None:
    """(when, missed, known) of the first moment at which the error budget burned too fast; None =
    it never did. The alert gets every advantage: a miss counts from the moment its promise passed,
    though a gateway's own metrics know of it only when the request ends."""
    known = sorted(
        (one.due_s + (one.e2e_s if one.in_time else TTFT_S), not one.in_time)
        for one in answers
        if one.result != "stopped" or not 0.0 < one.ttft_s <= TTFT_S
    )
    missed = 0
    for count, (at, is_missed) in enumerate(known, 1):
        missed += is_missed
        burn = missed / count / (1.0 - OBJECTIVE)
        if count >= ANSWERS_MIN and burn > BURN_MAX and at <= until_s:
            return at, missed, count
    return None


def told(seen: Cliff) -> str:
    """Plain text, in the order in which things came."""
    lines = [
        "",
        f"Steered toward the cliff: two engines that nobody governs, from {RATE_FROM:g} to "
        f"{RATE_TO:g} requests a second in {SECONDS:g} s",
    ]
    events: list[tuple[Seconds, str]] = []
    if seen.found_s is not None and seen.finding is not None:
        one, first = seen.finding, seen.finding["evidence"][0]
        text = f"finding {one['code']}, {one['kind']} {first['value']:.2f}: {one['summary']}"
        events.append((seen.found_s, text))
    burning = alert(seen.answers, seen.until_s)
    if burning is not None:
        at, missed, count = burning
        events.append((at, f"SLO alert: {missed} of {count} answers missed their promise"))
    lines += [f"  {at:5.1f} s  {text}" for at, text in sorted(events)]
    if seen.found_s is None or burning is None:
        lines.append(f"  no {'finding' if seen.found_s is None else 'alert'} came in that time")
    else:
        ahead_s = burning[0] - seen.found_s
        order = "before" if ahead_s > 0 else "after"
        lines.append(f"  the finding came {abs(ahead_s):.1f} s {order} the alert")
    return "\n".join(lines)
