"""Does the replay of a whole trace give the times that the plant gives, and refuse what it must?"""

import math
import random

import numpy as np
import pytest
from msgspec.structs import replace

from flyball.dialects.profiles import profile
from flyball.model.plant import Job
from flyball.model.profile import EngineLimits, Profile
from flyball.sim.engine import Engine
from flyball.sim.replay import replay

CHAT = profile("h100/llama-3.1-8b")
Trace = tuple[list[float], list[int], list[int]]


def draw(chance: random.Random, count: int, rate_per_s: float) -> Trace:
    at, now = [], 0.0
    for _ in range(count):
        now += chance.expovariate(rate_per_s)
        at.append(now)
    inputs = [min(14_000, max(1, int(chance.lognormvariate(6.5, 1.0)))) for _ in at]
    outputs = [min(1_500, int(chance.lognormvariate(4.0, 1.2))) for _ in at]
    return at, inputs, outputs


def by_engine(chosen: Profile, trace: Trace) -> tuple[list[float], list[float], int]:
    engine = Engine(chosen, prefix_cache=False)
    for place, (at, tokens, answer) in enumerate(zip(*trace, strict=True)):
        engine.submit(at, Job(str(place), tokens, answer))
    first, last = [math.nan] * len(trace[0]), [math.nan] * len(trace[0])
    for one in engine.advance(math.inf):
        if one.kind == "first-token":
            first[int(one.job)] = one.at
        elif one.kind == "finished":
            last[int(one.job)] = one.at
    return first, last, engine.snapshot().preemptions


@pytest.mark.parametrize("rate_per_s", [0.5, 5.0, 50.0])
@pytest.mark.parametrize("kv_tokens_max", [16_000, 400_000])
def test_times_are_the_plants(rate_per_s: float, kv_tokens_max: int) -> None:
    seed = 7
    print("seed", seed)
    trace = draw(random.Random(seed), 400, rate_per_s)
    limits = EngineLimits(seqs_max=24, step_tokens_max=512, kv_tokens_max=kv_tokens_max)
    chosen = replace(CHAT, limits=limits, request_overhead_s=0.003)
    times = replay(chosen, *trace)
    first, last, preemptions = by_engine(chosen, trace)
    assert np.array_equal(times.first_s, first, equal_nan=True)
    assert np.array_equal(times.finished_s, last)
    assert (preemptions > 0) == (kv_tokens_max == 16_000 and rate_per_s > 1)


def test_no_answer_has_no_first_token() -> None:
    times = replay(CHAT, [1.0], [100], [0])
    assert np.isnan(times.first_s[0])
    assert times.finished_s[0] > 1.0


def test_arrays_over_days_stay_exact() -> None:
    at, inputs, outputs = draw(random.Random(3), 50, 1e-4)
    assert at[-1] > 9300.0  # where femtoseconds no longer fit 64 bits
    times = replay(CHAT, np.array(at), np.array(inputs, np.int32), np.array(outputs))
    assert np.array_equal(times.finished_s, by_engine(CHAT, (at, inputs, outputs))[1])


def test_an_empty_trace() -> None:
    assert replay(CHAT, [], [], []).finished_s.shape == (0,)


@pytest.mark.parametrize(
    ("trace", "words"),
    [
        (([0.0], [1, 2], [1]), "1 times, 2 inputs"),
        (([0.0], [0], [1]), "at least 1 input token"),
        (([0.0], [1], [-1]), "at least 1 input token"),
        (([-1.0], [1], [1]), "negative"),
        (([math.nan], [1], [1]), "finite"),
        (([0.0, math.inf], [1, 1], [1, 1]), "finite"),
        (([0.0, math.nan, 2.0], [1, 1, 1], [1, 1, 1]), "finite"),
        (([0.0, 0.0], [1, 10**7], [1, 1]), "request 1 needs"),
        (([2.0, 1.0], [1, 1], [1, 1]), "request 1 comes at"),
    ],
)
def test_a_trace_that_cannot_be_served(trace: Trace, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        replay(CHAT, *trace)
    with pytest.raises(ValueError, match="seqs_max"):
        replay(replace(CHAT, limits=EngineLimits(9, 8, 1000)), [0.0], [1], [1])
