"""What do separately right loops lose against the joint optimum, in the fluid twin of four loops?

The twin of `diagnosis/margins/fluid.py` at its nominal knobs, set-points held: context kept, share
of the fast pool, replicas. Each loop wants its own target (spend, equal latencies, utilisation);
the whole is worth 1 per good task, less 0.3 per unit of work spent and 0.2 per replica-second:
prices chosen once, before any run. Told: coherence = value where the loops settle / value of the
joint optimum, at two budgets of the cost loop, and what asking the twin costs.
"""

import time

import numpy as np

import report
from flyball.diagnosis.alignment.equilibrium import Array, Outcome, coherence
from flyball.diagnosis.alignment.objectives import Objectives, common_descent, cosines, sampled
from flyball.diagnosis.margins import fluid

LOW, HIGH = np.array([0.3, 0.4, 30.0]), np.array([1.0, 0.9, 60.0])
SPEND_PRICE, REPLICA_PRICE = 0.3, 0.2
PERIODS = 10
LOOPS = ("cost", "router", "autoscaler")


class HeldTwin:
    """The twin with its loops open, at the set-points given."""

    def __init__(self, budget: float) -> None:
        self.knobs = fluid.theta(
            {"cost_gain": 0.0, "router_gain": 0.0, "autoscaler_gain": 0.0, "budget": budget}
        )
        self.budget = budget

    def __call__(self, at: Array) -> Outcome:
        state = fluid.start(self.knobs)
        state[fluid.KEPT], state[fluid.SHARE] = at[0], at[1]
        state[fluid.ORDERED] = at[2]
        for _ in range(PERIODS):
            state = fluid.period(state, self.knobs)
        spend, gap_s, busy = fluid.outputs(state, self.knobs)[:, 0]
        attempts = spend * self.budget / float(fluid.work(at[:1], self.knobs)[0])
        good = attempts * (1.0 - float(fluid.harm(state, self.knobs)[0]))
        worth = good - SPEND_PRICE * spend * self.budget - REPLICA_PRICE * at[2]
        target = fluid.NOMINAL["util_target"]
        costs = np.array([(spend - 1.0) ** 2, (gap_s / 10.0) ** 2, (busy - target) ** 2])
        return Outcome(costs=costs, value=float(worth))


def main() -> None:
    """Run and report."""
    rows: list[dict[str, object]] = []
    for budget in (38.0, 34.0):
        world = HeldTwin(budget)
        begun = time.process_time()
        found = coherence(world, LOW, HIGH, (0, 1, 2), tolerance=2e-2)
        spent = time.process_time() - begun
        settled, best = (np.round(point, 2).tolist() for point in (found.settled, found.best))
        rows.append(
            {
                "figure": f"coherence at budget {budget:g}",
                "value": found.ratio,
                "unit": "",
                "note": f"settled {settled}, optimum {best} (kept, share, replicas); "
                f"{found.places} resting places; {found.calls} calls, {spent:.1f} CPU-s",
            }
        )
        rows += _alignment(world, budget, found.settled)
    report.write("alignment", rows)


def _alignment(world: HeldTwin, budget: float, at: Array) -> list[dict[str, object]]:
    """How the three pull a tenth of the ranges away from where they settle (there, all are 0)."""
    ranges = HIGH - LOW
    point = np.clip(at + 0.1 * ranges, LOW, HIGH)
    slopes = sampled(lambda u: world(u).costs, point, ranges, 0.01)
    one = Objectives(
        loops=LOOPS,
        actuators=("kept", "share", "replicas"),
        slopes=slopes,
        ranges=ranges,
        moves=0.02 * ranges,
        owns=(0, 1, 2),
    )
    alike = cosines(one)
    pairs = [(i, j) for i in range(3) for j in range(i)]
    worst = min(pairs, key=lambda pair: alike[pair])
    return [
        {
            "figure": f"least cosine at budget {budget:g}",
            "value": float(alike[worst]),
            "unit": "",
            "note": f"{LOOPS[worst[1]]} and {LOOPS[worst[0]]}; common descent "
            f"{common_descent(one)[1]:.2f} of the longest gradient",
        }
    ]


if __name__ == "__main__":
    main()
