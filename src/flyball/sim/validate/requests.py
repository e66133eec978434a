"""Does the calibrated plant answer each request when the real engine did?

Each run is fitted on its first half and judged on its second, whose queues the first half makes.
"""

from collections.abc import Sequence

import numpy as np

from flyball.dialects.benchlog import RequestRow, runs_of
from flyball.model.profile import Profile
from flyball.sim.calibrate import load_of, to_requests
from flyball.sim.fit import Floats
from flyball.sim.measure import open_loop
from flyball.sim.validate.figures import Figure, Report, Split, Tell


def judge_requests(rows: Sequence[RequestRow], starts: dict[str, Profile], tell: Tell) -> Report:
    """Fit and judge each run from its start profile (by run name, or "" for all).

    Means and p99 of TTFT, TPOT and E2E, and the E2E of each request. ValueError if a run has no
    start profile or fewer than 20 requests.
    """
    figures: list[Figure] = []
    notes: list[str] = []
    for run, own in runs_of(rows).items():
        start = starts.get(run) or starts.get("")
        if start is None or len(own) < 20:
            raise ValueError(f"run {run!r}: needs a start profile and at least 20 requests")
        half = len(own) // 2
        found = to_requests(start, own, [number < half for number in range(len(own))])
        tell(f"{run}: fitted on {half} requests, median error {found.error:.1%}")
        seen = open_loop(found.profile, load_of(own))
        guess = {"TTFT": seen.ttft_s, "TPOT": seen.tpot_s, "E2E": seen.e2e_s}
        truth = _truth(own)
        parts: tuple[tuple[Split, slice], ...] = (
            ("fit", slice(0, half)),
            ("judged", slice(half, None)),
        )
        for split, part in parts:
            for name, values in guess.items():
                figures += _both(run, split, name, values[part], truth[name][part])
            pairs = zip(seen.e2e_s[part], truth["E2E"][part], strict=True)
            figures += [Figure(run, split, "E2E, each", float(a), float(b)) for a, b in pairs]
        notes.append(f"{run}: " + _dials(found.dials))
    return Report(
        "per-request", "fitted on each run's first half, judged on its second", figures, notes
    )


def _truth(rows: Sequence[RequestRow]) -> dict[str, Floats]:
    ttft = np.array([row.ttft_s for row in rows])
    e2e = np.array([row.e2e_s for row in rows])
    after = np.array([max(1, row.output_tokens - 1) for row in rows])
    return {"TTFT": ttft, "TPOT": (e2e - ttft) / after, "E2E": e2e}


def _both(run: str, split: Split, name: str, guess: Floats, truth: Floats) -> list[Figure]:
    keep = np.isfinite(guess) & (truth > 0)
    guess, truth = guess[keep], truth[keep]
    return [
        Figure(run, split, f"{name} mean", float(guess.mean()), float(truth.mean())),
        Figure(
            run, split, f"{name} p99", float(np.quantile(guess, 0.99)),
            float(np.quantile(truth, 0.99)),
        ),
    ]  # fmt: skip


def _dials(dials: dict[str, tuple[float, float, float]]) -> str:
    return ", ".join(
        f"{name} {value:.3g} ± {error:.0%}" for name, (value, error, _) in dials.items()
    )
