"""Do 100,000 recorded decisions follow from their records alone, and how fast is one checked?

Run: python bench/bench_replay_decisions.py. The core decides in random worlds (arrivals, failures,
retries, draining, readings, plans; several seeds, probes in half of them); its intents pass through
the log's bytes, and each is decided again from what it recorded. Fall-backs go by loads, which are
not recorded, and are left out. A decision that is not borne out counts against the figure.
"""

import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

import msgspec

import report

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from flyball.governor.policy import Policy
from flyball.ledger.record import decode, encode
from flyball.ledger.redecide import how, problems
from flyball.model.decision import Intent
from support import fleets
from support.world import World

DECISIONS = 100_000
STEPS = 20_000
EXPLORE_RATIOS = (0.0, 0.05)


def policy(explore_ratio: float) -> Policy:
    """The tests' classes, with so many probes."""
    found = fleets.policy()
    # The random worlds answer at random, so predictions are far off: every price is believed here.
    pricing = msgspec.structs.replace(
        found.pricing, explore_ratio=explore_ratio, mispredict_ratio_max=1e9, view_age_s_max=1e9
    )
    return msgspec.structs.replace(found, pricing=pricing)


def decisions() -> list[bytes]:
    """Intents of as many worlds as it takes, as they stand in a log."""
    made: list[bytes] = []
    seed = 0
    while len(made) < DECISIONS:
        rules = policy(EXPLORE_RATIOS[seed % len(EXPLORE_RATIOS)])
        world = World(seed, fleets.fleet(4, 4), rules).play(STEPS)
        made += (encode(one) for one in world.intents if how(one) != "fallback")
        seed += 1
    print(f"{seed} worlds of {STEPS} events", file=sys.stderr)
    return made[:DECISIONS]


def main() -> None:
    """Check all, count those that follow, by how far their record determines them."""
    made = decisions()
    ways: Counter[str] = Counter()
    sound = 0
    begun = perf_counter()
    for data in made:
        record = decode(data)
        assert isinstance(record, Intent)
        wrong = list(problems(record))
        sound += not wrong
        ways[how(record)] += 1
        if wrong and len(made) - sound < 10:
            print(wrong[0], file=sys.stderr)
    taken_s = perf_counter() - begun
    kinds = ", ".join(f"{count:,} {way}" for way, count in ways.most_common())
    report.write(
        "replay_decisions",
        [
            {
                "figure": f"decisions that follow from their record, of {len(made):,}",
                "value": 100 * sound / len(made),
                "unit": "%",
                "budget": ">= 100",
                "note": f"{kinds}; drawn = one of several equals or a probe: the draw is not "
                "recorded, so the set and the chances are checked",
            },
            {"figure": "decoded and decided again", "value": len(made) / taken_s, "unit": "/s"},
        ],
    )


if __name__ == "__main__":
    main()
