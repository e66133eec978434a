"""Does behaviour depend on where a request runs, how loaded that is, and on having moved there?

    FB-301  one backend's answers are worse or better than another's (paired canaries)
    FB-302  a backend's answers depend on its load
    FB-303  answers depend on the backend before, within a session
    FB-304  live routes cannot tell: too few requests could have gone either way
    FB-305  one backend's outcomes are worse or better on live routes (recorded chances)

Stress is the interaction: load and transition; a backend's mean is only a difference.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.edetector import Array
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.stress.canary import Difference, paired
from flyball.diagnosis.stress.mixed import Codes, Components, components
from flyball.diagnosis.stress.power import calls_needed
from flyball.diagnosis.stress.propensity import Effects
from flyball.units import Ratio, Seconds

KINDS = {
    "FB-301": "stress-backend",
    "FB-302": "stress-load",
    "FB-303": "stress-transition",
    "FB-304": "stress-unjudged",
    "FB-305": "stress-routes",
}
OVERLAP_MIN = 0.05
"""Below this share of requests that could have gone either way, the others are too unlike."""


class Answer(Struct, frozen=True, kw_only=True, gc=False):
    """One canary's outcome (1 or 0). `load` = the backend's load then, as a stratum; `seed` joins
    the answers to one prompt with the same random numbers; `previous` "" = no backend before."""

    prompt: str
    backend: str
    load: int
    seed: int
    previous: str
    outcome: float


class Stress(Struct, frozen=True, kw_only=True):
    """What canaries say: variance per factor, and each backend against the first, paired."""

    components: Components
    differences: tuple[tuple[str, str, Difference], ...]


def measure(answers: Sequence[Answer], rng: np.random.Generator, draws: int = 100) -> Stress:
    """Judge canaries. Factors: prompt, backend, load, backend x load, transition (from, to).

    A factor with a single level is left out. Intervals of the differences are Bonferroni's for
    their number. Raises ValueError for no answers or a single backend.
    """
    backends = sorted({one.backend for one in answers})
    if len(backends) < 2:
        raise ValueError("a stress test needs answers of two backends")
    columns = {
        "prompt": [one.prompt for one in answers],
        "backend": [one.backend for one in answers],
        "load": [one.load for one in answers],
        "backend x load": [(one.backend, one.load) for one in answers],
        "transition": [(one.previous, one.backend) for one in answers],
    }
    if len(set(columns["load"])) < 2:
        del columns["load"], columns["backend x load"]
    if len({one.previous for one in answers}) < 2:
        del columns["transition"]
    factors = {name: _codes(column) for name, column in columns.items()}
    outcome = np.array([one.outcome for one in answers])
    return Stress(
        components=components(factors, outcome, rng, draws=draws),
        differences=tuple(_differences(answers, backends)),
    )


def _codes(column: Sequence[object]) -> Codes:
    place = {value: i for i, value in enumerate(dict.fromkeys(column))}
    return np.array([place[value] for value in column], dtype=np.intp)


def _differences(
    answers: Sequence[Answer], backends: Sequence[str]
) -> list[tuple[str, str, Difference]]:
    rounds: dict[tuple[str, int], dict[str, float]] = {}
    for one in answers:
        rounds.setdefault((one.prompt, one.seed), {})[one.backend] = one.outcome
    level = 1.0 - 0.05 / (len(backends) - 1)
    found = []
    for other in backends[1:]:
        both = [r for r in rounds.values() if backends[0] in r and other in r]
        if len(both) >= 2:
            first: Array = np.array([r[backends[0]] for r in both])
            second: Array = np.array([r[other] for r in both])
            found.append((backends[0], other, paired(first, second, level)))
    return found


def of_stress(stress: Stress, at: Seconds, tolerance: Ratio = 0.01) -> list[Finding]:
    """Differences whose interval lies beyond zero and whose size is at least `tolerance`, and
    interactions whose variance is surely above zero."""
    found = []
    for first, other, gap in stress.differences:
        if abs(gap.value) >= tolerance and (gap.low > 0.0 or gap.high < 0.0):
            numbers = (
                Evidence(what="difference", value=gap.value, low=gap.low, high=gap.high),
                Evidence(what="pairs", value=float(gap.pairs)),
            )
            text = f"{other} against {first}: {100 * gap.value:+.1f} points"
            found.append(
                _finding("FB-301", at, f"{first} {other}", text, numbers, 1.0 - gap.chance)
            )
    for part in stress.components.factors:
        code = {"backend x load": "FB-302", "transition": "FB-303"}.get(part.factor)
        if code is None or part.low <= 0.0:
            continue
        numbers = (
            Evidence(
                what=f"variance of {part.factor}",
                value=part.variance,
                unit="logit²",
                low=part.low,
                high=part.high,
            ),
            Evidence(what="share of all variance", value=part.share),
        )
        text = f"{part.factor}: standard deviation {part.variance**0.5:.2f} logit"
        found.append(_finding(code, at, part.factor, text, numbers, 0.975))
    return found


def of_routes(
    found: Effects, backends: tuple[str, str], at: Seconds, tolerance: Ratio = 0.01
) -> list[Finding]:
    """What live routes say of two backends (first, second), or that they cannot tell."""
    scope = " ".join(backends)
    overlap = Evidence(what="could have gone either way", value=found.overlap, limit=OVERLAP_MIN)
    if found.overlap < OVERLAP_MIN:
        needed = float(calls_needed(2 * tolerance, "common"))
        numbers = (overlap, Evidence(what="paired canaries that would tell", value=needed))
        text = f"routes between {' and '.join(backends)} leave too little to chance"
        return [_finding("FB-304", at, scope, text, numbers, 1.0 - found.overlap)]
    sure = found.doubly
    if abs(sure.value) < tolerance or sure.low <= 0.0 <= sure.high:
        return []
    numbers = (
        Evidence(what="effect (AIPW)", value=sure.value, low=sure.low, high=sure.high),
        Evidence(what="difference of means (confounded)", value=found.naive.value),
        overlap,
    )
    text = f"{backends[1]} against {backends[0]}: {100 * sure.value:+.1f} points on like requests"
    return [_finding("FB-305", at, scope, text, numbers, 0.95)]


def _finding(
    code: str,
    at: Seconds,
    scope: str,
    summary: str,
    numbers: tuple[Evidence, ...],
    confidence: Ratio,
) -> Finding:
    return Finding(
        code=code,
        kind=KINDS[code],
        area="stress",
        at=at,
        loops=(),
        actuators=("router",),
        scope=scope,
        summary=summary,
        evidence=numbers,
        confidence=confidence,
        next_step="flyball explain" if code == "FB-305" else "flyball diagnose",
    )
