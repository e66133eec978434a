"""Do prefill and decode engines hand their work over as they should, worked out by hand?"""

import math

import pytest

from flyball.model.plant import Job, Progress
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.model.split import Split
from flyball.sim.disagg import Disaggregated


def plant(prefill: int = 1, decode: int = 1, **limits: int) -> Disaggregated:
    """Steps of 1 s, with prompt tokens 10 s and 1 s for each; 1 byte of KV a token, 2 bytes/s."""
    given = {"seqs_max": 2, "step_tokens_max": 8, "kv_tokens_max": 64, "block_tokens": 4} | limits
    engine = Profile(
        name="hand", accelerator="x", model="m",
        decode=StepCost(1.0, 0.0, 0.0), mixed=StepCost(10.0, 0.0, 0.0, 1.0),
        limits=EngineLimits(**given), power=PowerCurve(100.0, 200.0, half_batch=1.0),
    )  # fmt: skip
    split = Split(
        engine=engine, prefill=prefill, decode=decode,
        link_bytes_s=2.0, kv_token_bytes=1.0, link_latency_s=0.25,
    )  # fmt: skip
    return Disaggregated(split, prefix_cache=False)


def test_one_request_from_prompt_to_end() -> None:
    one = plant()
    one.submit(5.0, Job("a", 10, 3))
    assert one.next_at() == 23.0
    # Chunks of 8 and 2 tokens: 18 + 12 s. 10 bytes: 5 s. Then two steps of 1 s.
    assert one.advance(math.inf) == [
        Progress("admitted", "a", 5.0, 0),
        Progress("first-token", "a", 35.0, 1),
        Progress("finished", "a", 35.0 + 5.25 + 2.0, 3),
    ]
    assert one.next_at() is None


def test_a_prompt_does_not_slow_the_answers_of_others() -> None:
    one = plant()
    one.submit(0.0, Job("a", 4, 30))
    one.submit(20.0, Job("b", 8, 2))
    told = {(p.kind, p.job): p.at for p in one.advance(math.inf)}
    assert told["finished", "a"] == 14.0 + 2.25 + 29.0


def test_a_link_sends_one_after_the_other_and_each_engine_has_its_own() -> None:
    # One engine computes both prompts in 22 s, then sends a for 2 s and b for 4 s; of two engines
    # the second has b's prompt after 18 s and a link of its own.
    for prefill, sent in ((1, 22.0 + 2.0 + 4.0), (2, 18.0 + 4.0)):
        one = plant(prefill, step_tokens_max=16)
        one.submit(0.0, Job("a", 4, 2))
        one.submit(0.0, Job("b", 8, 2))
        told = {(p.kind, p.job): p.at for p in one.advance(math.inf)}
        assert told["finished", "b"] == sent + 0.25 + 1.0


def test_the_shortest_queues_are_taken_and_left_again() -> None:
    one = plant(prefill=2, decode=2)
    for name, tokens in (("a", 6), ("b", 2), ("c", 3), ("d", 1)):
        one.submit(0.0, Job(name, tokens, 5))
    # Prompt tokens: a 6 | b 2, then c 3 | then d to the second, which has 5.
    told = {(p.kind, p.job): p.at for p in one.advance(100.0)}
    assert told["first-token", "a"] == 16.0
    assert told["first-token", "b"] == told["first-token", "c"] == 15.0
    assert told["first-token", "d"] == 15.0 + 11.0  # two slots, so a third waits
    one.submit(100.0, Job("e", 7, 5))
    assert {p.job for p in one.advance(math.inf)} == {"e"}


def test_answers_of_one_token_or_none_end_where_they_are_computed() -> None:
    one = plant()
    one.submit(0.0, Job("a", 4, 1))
    one.submit(0.0, Job("b", 4, 0))
    told = one.advance(math.inf)
    assert [(p.kind, p.job, p.at) for p in told if p.kind == "finished"] == [
        ("finished", "a", 18.0),
        ("finished", "b", 18.0),
    ]
    assert one.snapshot().output_tokens == 1


def test_kv_that_does_not_fit_waits_and_a_lack_later_preempts() -> None:
    one = plant(prefill=2, kv_tokens_max=16)
    one.submit(0.0, Job("a", 7, 9))
    one.submit(0.0, Job("b", 7, 9))
    told = one.advance(math.inf)
    assert [p.job for p in told if p.kind == "preempted"] == ["b"]
    assert {p.job: p.tokens for p in told if p.kind == "finished"} == {"a": 9, "b": 9}
    state = one.snapshot()
    assert (state.preemptions, state.kv_blocks_used, state.kv_blocks_max) == (1, 0, 4)
    assert state.output_tokens == 18


@pytest.mark.parametrize("moment", [0.0, 5.0, 14.0, 15.0, 16.25, 20.0])
def test_cancel_at_any_moment_leaves_nothing_behind(moment: float) -> None:
    one = plant(prefill=2, decode=2)
    for name in "abc":
        one.submit(0.0, Job(name, 4, 9))
    one.advance(moment)
    for name in "abc":
        assert one.cancel(name)
        assert not one.cancel(name)
    assert one.advance(math.inf) == []
    state = one.snapshot()
    assert (state.running, state.waiting, state.kv_blocks_used) == (0, 0, 0)
    one.submit(1000.0, Job("a", 4, 2))
    assert one.advance(math.inf)[-1].at == 1000.0 + 14.0 + 2.25 + 1.0


def test_all_engines_count_together() -> None:
    one = plant(prefill=1, decode=1)
    one.submit(0.0, Job("a", 4, 3))
    one.advance(13.0)
    assert one.running == one.snapshot().running == 1
    one.advance(15.0)
    state = one.snapshot()
    assert (state.running, state.waiting) == (0, 1)  # on the link
    assert one.running == 0
    assert one.next_at() == 16.25
    one.advance(math.inf)
    state = one.snapshot()
    assert (state.prompt_tokens, state.output_tokens, state.steps) == (4, 3, 3)
    assert state.busy_s == (14.0 + 2.0) / 2
    assert state.joules == 150.0 * 16.0


def test_the_queue_is_bounded() -> None:
    split = plant().split
    one = Disaggregated(split, max_waiting=2)
    taken = [one.submit(0.0, Job(name, 4, 2)) for name in "abc"]
    assert taken == [True, True, False]
    one.advance(1.0)
    assert one.submit(1.0, Job("d", 4, 2))


@pytest.mark.parametrize(
    ("job", "words"),
    [
        (Job("x", 60, 5), "a decode engine has 64"),
        (Job("x", 0, 5), "at least 1 input token"),
        (Job("twice", 1, 1), "inside already"),
    ],
)
def test_jobs_that_cannot_be_taken(job: Job, words: str) -> None:
    one = plant()
    one.submit(0.0, Job("twice", 1, 1))
    with pytest.raises(ValueError, match=words):
        one.submit(0.0, job)
    with pytest.raises(ValueError, match="before the engine's time"):
        one.submit(-1.0, Job("y", 1, 1))
