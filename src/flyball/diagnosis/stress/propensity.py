"""What would the outcome have been elsewhere, told from live routes whose chances were recorded?

Never by comparing means: hard prompts go to slow hardware under load. Where a router recorded the
chance of each candidate, weights by its inverse undo the choice (Horvitz and Thompson 1952); with a
model of the outcome beside them the estimate is right if either is (AIPW: Robins, Rotnitzky, Zhao,
JASA 1994), and the model only has to save variance. Requests that could not have gone to both
backends say nothing and are left out: the effect is that among the others.
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from statistics import NormalDist

import numpy as np
from msgspec import Struct

from flyball.diagnosis.drift.edetector import Array
from flyball.model.decision import Intent, Outcome
from flyball.units import Ratio

FLOOR = 0.005
"""A request that had less chance than this to go to either backend is left out: its weight would
be above 200."""
FOLDS = 5
RIDGE = 1e-3


class Routes(Struct, frozen=True, kw_only=True):
    """Requests that might have gone to either of two backends.

    `second` [N] = 1 where it went to the second; `chance` [N] of that, given that it went to one
    of the two; `outcome` [N]; `facts` [N, K] known before the choice; `left_out` = requests that
    went to one of them but had no chance of the other.
    """

    second: Array
    chance: Array
    outcome: Array
    facts: Array
    left_out: int = 0


class Effect(Struct, frozen=True, kw_only=True):
    """Second minus first, with a 95 % interval; `requests` = as many as it rests on."""

    value: float
    low: float
    high: float
    requests: int


class Effects(Struct, frozen=True, kw_only=True):
    """Three answers: believe `doubly`; `naive` shows how wrong a comparison of means would be.
    `overlap` = share of requests that could have gone to both."""

    doubly: Effect
    inverse: Effect
    naive: Effect
    overlap: Ratio


def routes_of(
    pairs: Iterable[tuple[Intent, Outcome]],
    backend_of: Mapping[str, str],
    first: str,
    second: str,
    score: Mapping[str, float] | None = None,
) -> Routes:
    """Requests' records as routes between two backends (`backend_of` an endpoint).

    The outcome is `score` of the request's id where there is one, else whether it was served in
    time. A backend's chance is the sum over its endpoints. Facts: sizes, whether it is a retry, how
    far a session is, and the largest predicted cost among candidates (a sign of load).
    """
    rows: list[tuple[float, float, float]] = []
    facts: list[list[float]] = []
    left_out = 0
    for intent, outcome in pairs:
        chosen = backend_of.get(intent.endpoint)
        if chosen not in (first, second) or outcome.outcome in ("cancelled", "client-gone"):
            continue
        chances = {first: 0.0, second: 0.0}
        for one in intent.candidates:
            name = backend_of.get(one.endpoint)
            if name in chances:
                chances[name] += one.propensity
        chance = chances[second] / max(sum(chances.values()), 1e-12)
        if not FLOOR <= chance <= 1.0 - FLOOR:
            left_out += 1
            continue
        found = float(outcome.outcome == "served" and outcome.in_time)
        if score is not None and intent.id in score:
            found = score[intent.id]
        rows.append((float(chosen == second), chance, found))
        facts.append(_facts(intent))
    table = np.array(rows).reshape(-1, 3)
    return Routes(
        second=table[:, 0],
        chance=table[:, 1],
        outcome=table[:, 2],
        facts=np.array(facts).reshape(len(rows), -1),
        left_out=left_out,
    )


def _facts(intent: Intent) -> list[float]:
    costs = [one.ttft_s for one in intent.candidates]
    return [
        float(np.log1p(intent.tokens_kept)),
        float(np.log1p(intent.output_tokens_max)),
        float(intent.is_retry),
        float(intent.session_step),
        float(np.log1p(max(costs, default=0.0))),
    ]


def effects(routes: Routes) -> Effects:
    """The backend's effect on the outcome. Raises ValueError for less than 50 requests of either
    side, with how many had a chance of both."""
    second = routes.second > 0.5
    count = second.size
    if min(int(second.sum()), int((~second).sum())) < 50:
        raise ValueError(
            f"{int(second.sum())} and {int((~second).sum())} requests could have gone to both "
            f"backends ({routes.left_out} could not); 50 of each are the least: let more be drawn "
            "(pricing.explore_ratio)"
        )
    taken = np.where(second, routes.chance, 1.0 - routes.chance)
    sign = np.where(second, 1.0, -1.0)
    weights = sign / taken
    # Hajek's form: each side's weights sum to one.
    scale = np.where(second, (1.0 / taken)[second].sum(), (1.0 / taken)[~second].sum()) / count
    middle = np.where(
        second,
        np.average(routes.outcome[second], weights=1.0 / taken[second]),
        np.average(routes.outcome[~second], weights=1.0 / taken[~second]),
    )
    sides = float(middle[second][0] - middle[~second][0])
    inverse = sides + weights / scale * (routes.outcome - middle)
    expected = _expected(routes)
    own = np.where(second, expected[1], expected[0])
    doubly = expected[1] - expected[0] + weights * (routes.outcome - own)
    naive = (
        np.where(second, 1.0, -1.0)
        * (
            routes.outcome
            - np.where(second, routes.outcome[second].mean(), routes.outcome[~second].mean())
        )
        * count
        / np.where(second, second.sum(), (~second).sum())
    )
    gap = float(routes.outcome[second].mean() - routes.outcome[~second].mean())
    return Effects(
        doubly=_effect(doubly),
        inverse=_effect(inverse),
        naive=_effect(naive + gap),
        overlap=count / (count + routes.left_out),
    )


def _effect(each: Array) -> Effect:
    """The mean of each request's part in the estimate, and its interval by their spread."""
    value = float(each.mean())
    reach = NormalDist().inv_cdf(0.975) * float(each.std(ddof=1)) / sqrt(each.size)
    return Effect(value=value, low=value - reach, high=value + reach, requests=each.size)


def _expected(routes: Routes) -> tuple[Array, Array]:
    """Expected outcome of each request at either backend, from requests of the other folds only
    (cross-fitting: Chernozhukov et al., Econometrics Journal 2018). Ridge regression on the facts:
    even a poor model leaves AIPW right, since the chances are known."""
    count = routes.outcome.size
    spread = routes.facts.std(axis=0)
    facts = (routes.facts - routes.facts.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    design = np.column_stack([np.ones(count), facts, np.square(facts)])
    fold = np.arange(count) % FOLDS
    found = np.zeros((2, count))
    for side in (0, 1):
        mine = routes.second == side
        for one in range(FOLDS):
            rows = design[mine & (fold != one)]
            gram = rows.T @ rows + RIDGE * len(rows) * np.eye(design.shape[1])
            slope = np.linalg.solve(gram, rows.T @ routes.outcome[mine & (fold != one)])
            found[side, fold == one] = design[fold == one] @ slope
    return found[0], found[1]
