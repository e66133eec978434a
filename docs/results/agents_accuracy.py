"""How near do generated agents' sessions come to recorded ones? (A section of accuracy.md.)

`python docs/results/agents_accuracy.py` prints the section; `make_accuracy.py` puts it on the page.
"""

from collections.abc import Iterator

from fit_agents import DATA, SOURCES

from flyball.sim.agents import book
from flyball.sim.validate.agents import Distance, distances, halves, played

SEED = 1
SESSIONS = 2000

TEXT = """## Agents' sessions

Sessions generated from `src/flyball/data/agents.json` against recorded ones: interactive coding
agents (callanjfox/kv-cache-tester, Apache-2.0) and mini-swe-agent (LMCache/lmcache-agent-trace,
Apache-2.0). Every call is answered at once, so the fleet plays no part. Distributions of steps,
first prompts, added tokens, answers and pauses are fitted; what follows from them (last prompt, all
prompts, growth, prefix reuse) is not. KS = Kolmogorov-Smirnov distance; `halves` = that of
the two recorded halves from each other, which a perfect copy of the one would have from the other;
`chance` = what two samples of one distribution stay below in 95 of 100 cases if all values were
independent, which steps of one session are not. The step logs' Magentic-One and tau-bench sessions
talk to several contexts in turn and are not modelled. Far off are the contexts of coding
agents at their end (a fifth too short in the median; the longest of all prompts a third too long: a
session with a window of a million tokens is not told from one that ought to have compacted), and
what mini-swe-agent sends in all, of which ten sessions tell little (its step limit of 30, at which
a third of them stop, is not modelled).

    python docs/results/agents_accuracy.py

Split: every second session fitted, the others judge.
"""


def section() -> str:
    """The whole section, as Markdown."""
    if not all((DATA / name).is_dir() for name in ("agentic_claude_code", "agent_steps_lmcache")):
        return f"{TEXT}\nThe data sets were not at hand when this page was made.\n"
    head = [
        "| agent | split | figure | values | KS | halves | chance | recorded median | median "
        "| p90 |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    note = (
        "- `median` and `p90` are generated / recorded.\n"
        f"- {SESSIONS:,} sessions generated per agent, seed {SEED}; a second seed moves KS by less "
        f"than {_spread():.3f}.\n"
    )
    return f"{TEXT}\n" + "\n".join([*head, *_rows()]) + f"\n\n{note}"


def _spread() -> float:
    """The largest difference of a KS distance between two seeds, over all judged figures."""
    return max(
        abs(first.ks - second.ks)
        for name, read in SOURCES.items()
        for first, second in zip(
            *(
                distances(played(book().agents[name], SESSIONS, seed), halves(read())[1])
                for seed in (SEED, SEED + 1)
            ),
            strict=True,
        )
    )


def _rows() -> Iterator[str]:
    for name, read in SOURCES.items():
        generated = played(book().agents[name], SESSIONS, SEED)
        both = halves(read())
        apart = {one.figure: one.ks for one in distances(*both)}
        for split, sessions in zip(("fit", "judged"), both, strict=True):
            for one in distances(generated, sessions):
                yield _row(name, split, one, apart[one.figure])


def _row(agent: str, split: str, one: Distance, apart: float) -> str:
    return (
        f"| {agent} | {split} | {one.figure} | {one.recorded:,} | {one.ks:.3f} | {apart:.3f} | "
        f"{one.ks_chance:.3f} | {one.median:,.4g} | {one.median_ratio:.2f} | {one.p90_ratio:.2f} |"
    )


if __name__ == "__main__":
    print(section())
