"""What would a benchmark client measure of one simulated engine under this load?

Two kinds of load, as benchmark tools offer them: open loop (requests come at their times, whatever
becomes of the others) and closed loop (a fixed number in flight; the next starts as one ends).
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flyball.model.plant import Job
from flyball.model.profile import Profile
from flyball.sim.batching import VLLM, Batching
from flyball.sim.engine import Engine
from flyball.units import Ratio, Seconds, Tokens


class Ask(NamedTuple):
    """One request of a load: when it comes, its prompt and answer, its prefix (block hashes)."""

    at: Seconds
    input_tokens: Tokens
    output_tokens: Tokens
    prefix: tuple[int, ...] = ()


class Seen(NamedTuple):
    """What the client saw, request by request in order of asking: seconds and tokens."""

    ttft_s: NDArray[np.float64]
    e2e_s: NDArray[np.float64]
    output_tokens: NDArray[np.float64]

    @property
    def tpot_s(self) -> NDArray[np.float64]:
        """Mean time per output token after the first; NaN for answers of one token."""
        after = self.output_tokens - 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(after > 0, (self.e2e_s - self.ttft_s) / after, np.nan)


def open_loop(profile: Profile, load: Sequence[Ask], *, prefix_cache: bool = False) -> Seen:
    """Serve `load` (in order of time) to its end. ValueError for a request that can never fit."""
    engine = Engine(profile, prefix_cache=prefix_cache)
    first, end = np.zeros(len(load)), np.zeros(len(load))
    for number, ask in enumerate(load):
        for told in engine.advance(ask.at + profile.request_overhead_s):
            _note(told.kind, int(told.job), told.at, first, end)
        engine.submit(ask.at, Job(str(number), ask.input_tokens, ask.output_tokens, ask.prefix))
    for told in engine.advance(math.inf):
        _note(told.kind, int(told.job), told.at, first, end)
    at = np.array([ask.at for ask in load])
    tokens = np.array([float(ask.output_tokens) for ask in load])
    return Seen(first - at, end - at, tokens)


def closed_loop(
    profile: Profile,
    concurrency: int,
    input_tokens: Tokens,
    output_tokens: Tokens,
    *,
    rounds: float = 2.0,
    spread: Ratio = 0.2,
    seed: int = 1,
    batching: Batching = VLLM,
) -> Seen:
    """Keep `concurrency` in flight: what the first wave of them sees, then `rounds` x as many more.

    The first wave comes all at once and waits for itself, so how much it counts depends on how
    long a run was (`run_weights`). Lengths are drawn evenly from the last `spread` below those
    given, as the usual clients do; equal lengths would keep all requests in step. ValueError for
    a request that can never fit.
    """
    count = concurrency + max(8, math.ceil(rounds * concurrency))
    rng = np.random.default_rng(seed)
    inputs = np.ceil(input_tokens * (1.0 - spread * rng.random(count))).astype(int)
    outputs = np.ceil(output_tokens * (1.0 - spread * rng.random(count))).astype(int)
    engine = Engine(profile, prefix_cache=False, batching=batching)
    asked, first, end = np.zeros(count), np.zeros(count), np.zeros(count)
    begun = 0
    while begun < concurrency:
        engine.submit(0.0, Job(str(begun), int(inputs[begun]), int(outputs[begun])))
        begun += 1
    while (at := engine.next_at()) is not None:
        for told in engine.advance(at):
            _note(told.kind, int(told.job), told.at, first, end)
            if told.kind == "finished" and begun < count:
                asked[begun] = told.at
                engine.submit(told.at, Job(str(begun), int(inputs[begun]), int(outputs[begun])))
                begun += 1
    return Seen(first - asked, end - asked, outputs.astype(float))


def run_weights(count: int, concurrency: int, waves: float) -> NDArray[np.float64]:
    """How much each of a simulated loop's requests counts for a run of `waves` x `concurrency`.

    The first wave keeps its share of the run, 1 / waves; those after it stand for the rest.
    """
    first = min(1.0, 1.0 / waves)
    weights = np.full(count, (1.0 - first) / max(1, count - concurrency))
    weights[:concurrency] = first / concurrency
    return weights


def weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    """The value below which half of the weight lies; entries that are no number are left out."""
    kept = np.isfinite(values)
    order = np.argsort(values[kept])
    share = np.cumsum(weights[kept][order])
    return float(values[kept][order][np.searchsorted(share, share[-1] / 2.0)])


def _note(
    kind: str, number: int, at: Seconds, first: NDArray[np.float64], end: NDArray[np.float64]
) -> None:
    if kind == "first-token":
        first[number] = at
    elif kind == "finished":
        end[number] = at
        first[number] = first[number] or at
