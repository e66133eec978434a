"""What does it cost to relay one chunk of a stream, beside nginx, Envoy and a Rust router?

    python bench/bench_streaming.py [--quick]

Engines send 200 events of about 200 bytes per answer, each in a write of its own: as fast as they
go, and 1 ms apart. A contestant's CPU, background work included, is divided by the chunks that
reached the clients, counted by their bytes.
"""

import http.client
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bodies
import report
import rig
import rivals
from contestants import CORE_OFF, ENVOY, GOVERNED, NGINX, SGLANG, Contestant

CHUNKS = 200
CONNECTIONS = 16
BUDGET_NGINX = 1.3
ALL = (GOVERNED, CORE_OFF, NGINX, ENVOY, SGLANG)
PACES = {"as fast as it goes": 0, "1 ms apart": 1000}


@dataclass
class Found:
    """One contestant at one pace, a value a round; `why` = why it shows nothing more."""

    cpu_us: list[float] = field(default_factory=list)
    per_s: list[float] = field(default_factory=list)
    bad: int = 0
    why: str = ""


def stream_bytes(port: int, body: Path) -> int:
    """Bytes of one whole stream as the engine sends it, without its framing."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Content-Type": "application/json"}
    connection.request("POST", "/v1/chat/completions", body.read_bytes(), headers)
    size = len(connection.getresponse().read())
    connection.close()
    return size


def measure(who: Contestant, interval_us: int, seconds: float, body: Path, found: Found) -> None:
    """One round of one contestant at one pace."""
    with (
        tempfile.TemporaryDirectory() as name,
        rig.engines(who.engines, interval_us) as (_, engines),
    ):
        folder = Path(name)
        folder.chmod(0o755)
        chunk_bytes = stream_bytes(engines[0], body) / CHUNKS
        port = rig.free_ports(1)
        with rig.contestant(who.start(folder, engines, port), port, folder, body) as pid:
            rig.load(port, body, 0.5, CONNECTIONS)
            run = rig.load(port, body, seconds, CONNECTIONS, pid=pid)
    chunks = run.body_bytes / chunk_bytes
    if not run.ok:
        raise rig.RigFault(f"{run.other + run.faults} answers, none of them whole")
    found.cpu_us.append(run.cpu_s / chunks * 1e6)
    found.per_s.append(chunks / run.seconds)
    found.bad += run.other + run.faults


def run(rounds: int, seconds: float) -> dict[tuple[str, str], Found]:
    """All rounds, contestants and paces in turn."""
    found = {(pace, who.name): Found() for pace in PACES for who in ALL}
    with tempfile.TemporaryDirectory() as name:
        body = bodies.stream(Path(name))
        for turn in range(1, rounds + 1):
            for pace, interval_us in PACES.items():
                for who in ALL:
                    own = found[pace, who.name]
                    if own.why:
                        continue
                    try:
                        measure(who, interval_us, seconds, body, own)
                    except (rig.RigFault, rivals.Missing) as fault:
                        own.why = str(fault)
                        rig.say(f"   round {turn}  {who.name}, {pace}: {fault}")
                        continue
                    rig.say(
                        f"   round {turn}  {who.name}, {pace}: {own.cpu_us[-1]:.2f} CPU µs/chunk"
                    )
    return found


def rows_of(found: dict[tuple[str, str], Found]) -> list[dict[str, Any]]:
    """A row per contestant and pace; the ratio is to ours, above 1 = better than ours."""
    rows: list[dict[str, Any]] = []
    for (pace, name), one in found.items():
        if not one.cpu_us:
            rows.append({"figure": f"{pace}: {name}", "rival": name, "note": one.why})
            continue
        ours, value = found[pace, GOVERNED.name], rig.middle(one.cpu_us)
        notes = [f"{rig.middle(one.per_s):,.0f} chunks/s"]
        if one.bad:
            notes.append(f"{one.bad} answers broken or not 2xx")
        rows.append(
            {
                "figure": f"{pace}: {name}",
                "value": round(value, 2),
                "unit": "CPU µs/chunk",
                "spread": rig.spread(one.cpu_us, 2),
                "rival": None if name in (GOVERNED.name, CORE_OFF.name) else name,
                "ratio": round(rig.middle(ours.cpu_us) / value, 3) if ours.cpu_us else None,
                "note": "; ".join(notes),
            }
        )
    rows += [row for pace in PACES if (row := verdict(pace, found))]
    return rows


def verdict(pace: str, found: dict[tuple[str, str], Found]) -> dict[str, Any] | None:
    """Ours in nginx's cost per chunk, by round, as the rounds lie close in time."""
    ours, nginx = found[pace, GOVERNED.name].cpu_us, found[pace, NGINX.name].cpu_us
    shares = [own / theirs for own, theirs in zip(ours, nginx, strict=False)]
    if not shares:
        return None
    return {
        "figure": f"{pace}: ours in nginx's CPU per chunk",
        "value": round(rig.middle(shares), 2),
        "unit": "times",
        "spread": rig.spread(shares, 2),
        "rival": NGINX.name,
        "ratio": round(1 / rig.middle(shares), 3),
        "budget": f"<= {BUDGET_NGINX}",
    }


def main(words: Sequence[str]) -> int:
    """Measure and report; the exit code: 0, 1 if ours failed, 2 for an unknown option."""
    if set(words) - {"--quick"}:
        rig.say("bench_streaming: the only option is --quick")
        return 2
    rounds, seconds = (1, 0.6) if words else (3, 2.0)
    found = run(rounds, seconds)
    report.write("streaming", rows_of(found))
    return 1 if any(found[pace, GOVERNED.name].why for pace in PACES) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
