"""How do recorded agents' sessions run? (Writes what is fitted of src/flyball/data/agents.json.)

`python docs/results/fit_agents.py` fits every second session of the two data sets below, read from
$FLYBALL_DATA (else ../shared/data beside the checkout); the others judge, in the section "Agents'
sessions" of accuracy.md. What no recording tells (how agents try again, what a cut context breaks,
how often a tool fails) is kept as it stands in the file, with its source.
"""

import csv
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from pyarrow import parquet  # pyright: ignore[reportMissingImports]

from flyball.dialects.traces import formats
from flyball.dialects.traces.row import Tally
from flyball.sim.agents import AgentBook
from flyball.sim.validate.agents import Session, common, fitted, halves

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("FLYBALL_DATA", ROOT.parent / "shared" / "data"))
FILE = ROOT / "src" / "flyball" / "data" / "agents.json"
COLUMNS = [
    "trace_id", "agent", "in_tokens", "out_tokens", "lcp_prev_blocks", "think_s", "input_types",
]  # fmt: skip


def claude_code() -> list[Session]:
    """Main agents of the coding sessions, in the order of the file; sub-agents are left out."""
    file = parquet.read_table(DATA / "agentic_claude_code" / "requests.parquet", columns=COLUMNS)
    columns: list[list[Any]] = [file[name].to_pylist() for name in COLUMNS]
    found: dict[str, Session] = {}
    for name, agent, given, made, kept, think_s, kinds in zip(*columns, strict=True):
        if agent != "0":
            continue
        one = found.setdefault(name, Session([], [], [], [], []))
        one.prompts.append(given)
        one.answers.append(made)
        one.kept_blocks.append(kept)
        one.pause_s.append(think_s or 0.0)
        one.by_human.append(kinds == "text" and len(one.prompts) > 1)
    return list(found.values())


def shared_prompt() -> int:
    """Median tokens of tools and system prompt over the sessions that are fitted."""
    with (DATA / "agentic_claude_code" / "traces.csv").open() as stream:
        rows = list(csv.DictReader(stream))[::2]
    return int(np.median([int(row["tool_tokens"]) + int(row["system_tokens"]) for row in rows]))


def mini_swe_agent() -> list[Session]:
    """The mini-swe-agent sessions of the step logs.

    Those hold one time stamp a call: what the model took is taken off as the least-squares line of
    the time between two calls over the answer's length, so pauses below that line are 0.
    """
    place = DATA / "agent_steps_lmcache" / "steps.csv"
    found: dict[str, Session] = {}
    last: dict[str, tuple[float, tuple[int, ...]]] = {}
    with place.open("rb") as stream:
        for row in formats.read("agentsteps", stream, str(place), Tally()):
            if not row.session.startswith("miniswe/"):
                continue
            one = found.setdefault(row.session, Session([], [], [], [], []))
            at_s, blocks = last.get(row.session, (row.at_s, ()))
            last[row.session] = (row.at_s, row.prefix_blocks)
            one.prompts.append(row.input_tokens)
            one.answers.append(row.output_tokens)
            one.kept_blocks.append(common(blocks, row.prefix_blocks))
            one.pause_s.append(row.at_s - at_s)
            one.by_human.append(False)
    return _without_the_model([found[name] for name in sorted(found)])


def _without_the_model(sessions: list[Session]) -> list[Session]:
    fit, _ = halves(sessions)
    made = np.array([x for one in fit for x in one.answers[:-1]], float)
    gaps = np.array([x for one in fit for x in one.pause_s[1:]], float)
    usual = gaps < np.quantile(gaps, 0.95)
    per_token = np.polyfit(made[usual], gaps[usual], 1)[0]
    for one in sessions:
        for i, answer in enumerate(one.answers[:-1]):
            one.pause_s[i + 1] = round(max(0.0, one.pause_s[i + 1] - per_token * answer), 3)
    return sessions


SOURCES: dict[str, Callable[[], list[Session]]] = {
    "claude-code": claude_code,
    "mini-swe-agent": mini_swe_agent,
}


def main() -> None:
    """Fit every agent anew and write the file."""
    book = msgspec.json.decode(FILE.read_bytes(), type=AgentBook)
    agents = dict(book.agents)
    for name, read in SOURCES.items():
        fit, judge = halves(read())
        print(f"{name}: {len(fit)} sessions fitted, {len(judge)} kept to judge", file=sys.stderr)
        agents[name] = fitted(book.agents[name], fit)
    agents["claude-code"] = msgspec.structs.replace(
        agents["claude-code"], system_tokens=shared_prompt()
    )
    body = msgspec.to_builtins(msgspec.structs.replace(book, agents=agents))
    FILE.write_text(_compact(json.dumps(body, indent=1)) + "\n")


def _compact(text: str) -> str:
    """Each pair of a table on one line."""
    return text.replace("[\n     ", "[").replace(",\n     ", ", ").replace("\n    ]", "]")


if __name__ == "__main__":
    main()
