"""Do events and single steps give the same answer, to the last bit, however the plant is driven?"""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.model.plant import Job, Progress
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.sim.batching import SGLANG, VLLM, Batching
from flyball.sim.engine import Engine
from flyball.sim.oracle import replay
from flyball.sim.replay import replay as replay_trace

Load = list[tuple[float, Job]]


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    block = draw(st.sampled_from([1, 2, 4, 16]))
    seqs = draw(st.sampled_from([1, 2, 4, 16]))
    return Profile(
        name="drawn", accelerator="x", model="m",
        decode=StepCost(draw(st.sampled_from([0.01, 0.0067])), 2e-5, 5e-8),
        mixed=StepCost(draw(st.sampled_from([0.01, 0.007])), 2e-5, 7e-8, 2.5e-5, 2.7e-9),
        limits=EngineLimits(
            seqs_max=seqs, step_tokens_max=draw(st.sampled_from([seqs, 16, 64])),
            kv_tokens_max=block * draw(st.sampled_from([8, 20, 64, 1000])), block_tokens=block,
        ),
        power=PowerCurve(100.0, 700.0),
    )  # fmt: skip


@st.composite
def loads(draw: st.DrawFn, profile: Profile, some_prefilled: bool = False) -> Load:
    """Jobs of three families of prompts; a family shares its leading blocks."""
    room, block = profile.limits.kv_tokens_max, profile.limits.block_tokens
    at, load = 0.0, []
    for i in range(draw(st.integers(1, 25))):
        at += draw(st.sampled_from([0.0, 0.0, 0.01, 0.0137, 0.05, 1.0]))
        tokens = draw(st.integers(1, min(room // 2, 60)))
        output = draw(st.integers(0, min(room - tokens, 50)))
        family, shared = draw(st.integers(0, 2)), draw(st.integers(0, 20))
        hashes = tuple(
            family * 1000 + k if k < shared else 10**6 + i * 1000 + k
            for k in range((tokens + output) // block)
        )
        priority = draw(st.sampled_from([0, 0, 1]))
        prefilled = some_prefilled and output > 1 and draw(st.booleans())
        load.append((at, Job(f"j{i}", tokens, output, hashes, priority, prefilled)))
    return load


def in_order(told: list[Progress]) -> list[tuple[float, str, str, int]]:
    return sorted((one.at, one.job, one.kind, one.tokens) for one in told)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans(), st.sampled_from([VLLM, SGLANG]), st.booleans())
def test_events_equal_steps(
    data: st.DataObject, prefix_cache: bool, batching: Batching, some_prefilled: bool
) -> None:
    profile = data.draw(profiles())
    load = data.draw(loads(profile, some_prefilled))
    want = in_order(replay(profile, load, prefix_cache=prefix_cache, batching=batching))
    engine = Engine(profile, prefix_cache=prefix_cache, batching=batching)
    for at, job in load:
        assert engine.submit(at, job)
    told = engine.advance(math.inf)
    assert [one.at for one in told] == sorted(one.at for one in told)
    assert in_order(told) == want
    state = engine.snapshot()
    assert (state.running, state.waiting, state.kv_blocks_used) == (0, 0, 0)
    assert state.output_tokens == sum(job.output_tokens - job.prefilled for _, job in load)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_trace_replayed_in_one_loop_equals_steps(data: st.DataObject) -> None:
    profile = data.draw(profiles())
    load = [
        (at, Job(str(place), job.input_tokens, job.output_tokens))
        for place, (at, job) in enumerate(data.draw(loads(profile)))
    ]
    told = replay(profile, load, prefix_cache=False)
    first, last = (
        {int(one.job): one.at for one in told if one.kind == kind}
        for kind in ("first-token", "finished")
    )
    times = replay_trace(
        profile,
        [at for at, _ in load],
        [job.input_tokens for _, job in load],
        [job.output_tokens for _, job in load],
    )
    want = [first.get(place, math.nan) for place in range(len(load))]
    assert np.array_equal(times.first_s, want, equal_nan=True)
    assert np.array_equal(times.finished_s, [last[place] for place in range(len(load))])


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from([VLLM, SGLANG]))
def test_small_steps_of_the_clock_change_nothing(data: st.DataObject, batching: Batching) -> None:
    profile = data.draw(profiles())
    load = data.draw(loads(profile, some_prefilled=True))
    want = in_order(replay(profile, load, batching=batching))
    engine = Engine(profile, batching=batching)
    told: list[Progress] = []
    now, todo = 0.0, list(load)
    while True:
        due = engine.next_at()
        if todo and (due is None or todo[0][0] <= due):
            now = todo[0][0]
            told += engine.advance(now)
            while todo and todo[0][0] == now:
                engine.submit(*todo.pop(0))
            continue
        if due is None:
            break
        between = now + (due - now) * data.draw(st.sampled_from([0.0, 0.3, 0.99, 1.0]))
        told += engine.advance(max(now, between))
        assert (engine.next_token_at() or math.inf) >= between
        engine.snapshot()
        now = max(now, due)
        told += engine.advance(now)
    assert in_order(told) == want


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_tokens_told_add_up(data: st.DataObject) -> None:
    profile = data.draw(profiles())
    load = data.draw(loads(profile))
    engine = Engine(profile)
    for at, job in load:
        engine.submit(at, job)
    made = dict.fromkeys((job.id for _, job in load), 0)
    now = 0.0
    while (due := engine.next_token_at()) is not None:
        assert due >= now
        now = due
        for one in engine.advance(now, tokens=True):
            if one.kind == "tokens":
                made[one.job] += one.tokens
            elif one.kind == "finished":
                assert made[one.job] <= one.tokens
                made[one.job] = one.tokens
    assert made == {job.id: job.output_tokens for _, job in load}
