"""What does a policy bundle cost: to be vetted beside the traffic, and to come into force amid it?

Run: python bench/bench_bundle.py. One core. Bundles carry 12, 100 and 1,000 policies with as many
tests, signed by two. "into force" = what is left for a process's loop: the library that was
made beside the traffic, and a question to it that was asked before.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from msgspec.structs import replace

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.authority.bundles.archive import ENTITIES, POLICIES
from flyball.authority.bundles.bundle import Bundle, decode
from flyball.authority.bundles.vet import Demands, vet
from flyball.authority.policy.policies import load
from flyball.serve.config.authority import AuthoritySettings, PolicyTexts
from flyball.serve.process.authority import library, prepare
from support.bundles import NOW, PERMIT, SIGNERS, bundle
from support.configs import config
from support.policies import circumstances, place, subject

ROUNDS = 7
SIZES = (12, 100, 1000)
DEMANDS = Demands(signers=SIGNERS, least=2)
FORBID = (
    '@id("n{0}") forbid (principal, action, resource) when {{ context.className == "c{0}" }};\n'
)


def made(count: int) -> Bundle:
    """With so many policies and tests."""
    policies = PERMIT + "".join(FORBID.format(number) for number in range(count - 1))
    tests = [{"expect": "deny", "subject": {"class_name": f"c{n}"}} for n in range(count - 1)]
    return bundle(policies, files={"tests": {"tests": [*tests, {"expect": "allow"}]}})


def row(figure: str, work: Callable[[], object], note: str = "") -> dict:
    """Milliseconds: median and range over the rounds."""
    spans = []
    for _ in range(ROUNDS):
        began = perf_counter()
        work()
        spans.append((perf_counter() - began) * 1e3)
    spread = [min(spans), max(spans)]
    return {
        "figure": figure, "value": statistics.median(spans), "unit": "ms", "spread": spread,
        "note": note,
    }  # fmt: skip


def costs(count: int) -> list[dict]:
    """Of one size."""
    whole = made(count)
    data, text, entities = whole.encode(), whole.text(POLICIES), whole.text(ENTITIES)
    one = PolicyTexts(name="work", texts={POLICIES: text}, entities=entities, digest=whole.digest)
    ready = replace(config(), authority=AuthoritySettings(policies=(one,)))
    prepare(ready)

    def into_force() -> None:
        found = library(ready).authority((whole.digest,))
        assert found is not None
        found.decide(subject(), circumstances(), place())

    return [
        row(f"{count} policies: read", lambda: decode(data), f"{len(data)} bytes"),
        row(f"{count} policies: vet", lambda: vet(decode(data), DEMANDS, NOW), "off the loop"),
        row(f"{count} policies: parse", lambda: load({POLICIES: text}, entities), "off the loop"),
        row(f"{count} policies: into force", into_force, "on the loop of each process"),
    ]


if __name__ == "__main__":
    report.write("bundle", [one for count in SIZES for one in costs(count)])
