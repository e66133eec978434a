"""What does policy cost: a cached mask, masks of a thousand classes made anew, one decision?

Run: python bench/bench_policy.py. Policies: examples/policy (ten, written before this benchmark),
and three made to be hard: two join facts that differ for every class with facts that differ for
every pool, one set has 1,000 policies.
"""

import statistics
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import report
from flyball.authority.policy.cedar import CedarAuthority
from flyball.authority.policy.policies import PolicySet, load
from flyball.model.verdict import Circumstances, Place, Subject

ROUNDS = 5
POOLS = 256
CLASSES = 1_000
AT = 1_763_600_000.0
EXAMPLE = Path(__file__).parents[1] / "examples" / "policy"
PEOPLE = "https://id.example.org|alice"

# Class and pool meet in one condition, and all of them differ; the second one only Cedar can tell.
JOINED = """
@id("base") permit (principal, action, resource);
@id("pairs") forbid (principal, action, resource)
when { resource.certificates.contains(context.className) };
"""
HARD = JOINED.replace(
    "resource.certificates.contains(context.className)",
    "[context.className].containsAny(resource.certificates)",
)


def example() -> PolicySet:
    """The worked example."""
    texts = {"site.cedar": (EXAMPLE / "site.cedar").read_text()}
    return load(texts, (EXAMPLE / "entities.json").read_text())


def many(count: int) -> PolicySet:
    """So many policies, each of a class of its own."""
    text = '@id("base") permit (principal, action, resource);\n' + "\n".join(
        f'@id("f{i}") forbid (principal, action, resource) when {{ '
        f'context.className == "class-{i}" && resource.tier == "edge" }};'
        for i in range(count - 1)
    )
    return load({"many.cedar": text})


def places() -> tuple[Place, ...]:
    """Pools in five jurisdictions; the distance to each differs."""
    return tuple(
        Place(
            pool=f"pool-{i}",
            site=f"site-{i}",
            jurisdiction=("DE", "NO", "US", "EU", "EEA")[i % 5],
            tier=("edge", "regional", "central")[i % 3],
            accelerator=("l4", "h100")[i % 2],
            network_ms_p95=i,
            certificates=(f"class-{i}",),
        )
        for i in range(POOLS)
    )


def subject(number: int, action: str = "infer") -> Subject:
    """Classes that differ in name, data, home, promise and purpose."""
    return Subject(
        action=action,  # type: ignore[arg-type]
        principal=f"agent-{number % 50}",
        human=PEOPLE,
        class_name=f"class-{number}",
        model=("llama-3.1-8b", "other")[number % 2],
        data_class=("public", "personal", "special")[number % 3],
        data_home=("DE", "NO", "EEA", "US")[number % 4],
        transfer_basis=("", "scc")[number % 2],
        purpose=f"purpose-{number % 7}",
        latency_class_ms=number,
    )


def rebuilt_s(found: PolicySet, count: int) -> float:
    """Masks of `count` classes by an authority that has seen nothing yet."""
    asked, where = CedarAuthority((found,)), places()
    kinds = [subject(number) for number in range(count)]
    began = perf_counter()
    for one in kinds:
        asked.mask(one, where)
    return perf_counter() - began


def moved_s(found: PolicySet) -> float:
    """The same after one pool's distance has changed: what the leaves said is known."""
    asked, where = CedarAuthority((found,)), places()
    kinds = [subject(number) for number in range(CLASSES)]
    for one in kinds:
        asked.mask(one, where)
    began = perf_counter()
    other = (*where[:-1], places()[0])
    for one in kinds:
        asked.mask(one, other)
    return perf_counter() - began


def each_us(call: Callable[[int], object], count: int) -> float:
    """Mean of one call, in microseconds."""
    began = perf_counter()
    for number in range(count):
        call(number)
    return (perf_counter() - began) / count * 1e6


def row(figure: str, values: list[float], unit: str, budget: str = "", note: str = "") -> dict:
    """One row: the median and the range."""
    spread = f"{min(values):.3g} to {max(values):.3g}"
    return {
        "figure": figure,
        "value": statistics.median(values),
        "unit": unit,
        "spread": spread,
        "budget": budget,
        "note": note,
    }


def measure() -> list[dict]:
    """All rows."""
    found, thousand = example(), many(1_000)
    joined, hard = load({"joined.cedar": JOINED}), load({"hard.cedar": HARD})
    warm, where = CedarAuthority((found,)), places()
    both = CedarAuthority((found, found))
    kind, tool = subject(1), subject(1, "toolCall")
    where_one, now = where[0], Circumstances(at=AT)
    static = CedarAuthority((joined,))

    def rounds(call: Callable[[], float]) -> list[float]:
        values = []
        for _ in range(ROUNDS):
            values.append(call())
            print(".", end="", file=sys.stderr, flush=True)
        return values

    def cold(asked: CedarAuthority, count: int = 300) -> float:
        return each_us(lambda i: asked.decide(tool, Circumstances(at=AT + i), where_one), count)

    def cold_static() -> float:
        asked = CedarAuthority((joined,))
        return each_us(lambda i: asked.decide(subject(i), now, where[i % POOLS]), 300)

    rows = [
        row(
            "mask of 256 pools, cached",
            rounds(lambda: each_us(lambda _: warm.mask(kind, where), 20_000)),
            "µs", "<= 20",
        ),
        row(
            "1,000 classes x 256 pools made anew",
            rounds(lambda: rebuilt_s(found, CLASSES)),
            "s", "<= 1", "examples/policy; every class and pool differs in a fact it reads",
        ),
        row("the same after one pool moved", rounds(lambda: moved_s(found)), "s"),
        row(
            "the same, 256,000 unlike pairs",
            rounds(lambda: rebuilt_s(joined, CLASSES)),
            "s", "<= 1", "one condition joins class and pool",
        ),
        row(
            "the same, worst case: only Cedar can tell them",
            [rebuilt_s(hard, 100) * 10],
            "s", "<= 1", "10 x that of 100 classes",
        ),
        row(
            "1,000 classes x 256 pools, 1,000 policies",
            [rebuilt_s(thousand, 50) * 20],
            "s", "<= 1", "20 x that of 50 classes",
        ),
        row(
            "decision, kept (static policies)",
            rounds(lambda: each_us(lambda _: static.decide(kind, now, where_one), 20_000)),
            "µs", "", "the key is hashed anew for each",
        ),
        row("decision, static policies, new each time", rounds(cold_static), "µs"),
        row("decision where a cost limit is read", rounds(lambda: cold(warm, 20_000)), "µs"),
        row("the same, two bundles", rounds(lambda: cold(both, 20_000)), "µs"),
    ]  # fmt: skip
    print(file=sys.stderr)
    return rows


if __name__ == "__main__":
    report.write("policy", measure())
