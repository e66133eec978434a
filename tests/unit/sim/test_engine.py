"""Does the plant batch, chunk, share, preempt and cancel as a vLLM engine does?"""

import csv
import math
import statistics
from pathlib import Path

import pytest

from flyball.dialects.profiles import profile
from flyball.model.plant import Job, Progress
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.sim.engine import Engine


def by_hand(**limits: int) -> Profile:
    """1 s a step, 10 s with prompt tokens, 1 s more per prompt token; 100 W idle, 200 W full."""
    given = {"seqs_max": 2, "step_tokens_max": 8, "kv_tokens_max": 64, "block_tokens": 4} | limits
    return Profile(
        name="hand", accelerator="x", model="m",
        decode=StepCost(1.0, 0.0, 0.0), mixed=StepCost(10.0, 0.0, 0.0, 1.0),
        limits=EngineLimits(**given), power=PowerCurve(100.0, 200.0, half_batch=1.0),
    )  # fmt: skip


def times(told: list[Progress], kind: str) -> dict[str, float]:
    return {one.job: one.at for one in told if one.kind == kind}


def test_chunks_first_token_and_end() -> None:
    engine = Engine(by_hand())
    engine.submit(5.0, Job("a", 10, 3))
    assert engine.next_at() == 5.0
    told = engine.advance(math.inf)
    assert told == [
        Progress("admitted", "a", 5.0, 0),
        Progress("first-token", "a", 35.0, 1),
        Progress("finished", "a", 37.0, 3),
    ]
    assert engine.next_at() is None


def test_a_slot_is_waited_for_and_priority_goes_first() -> None:
    engine = Engine(by_hand(seqs_max=1))
    for job in (Job("a", 1, 2), Job("b", 1, 1, priority=5), Job("c", 1, 1)):
        engine.submit(0.0, job)
    told = engine.advance(math.inf)
    assert list(times(told, "finished")) == ["a", "c", "b"]


def test_the_queue_is_bounded() -> None:
    engine = Engine(by_hand(), max_waiting=2)
    assert engine.submit(0.0, Job("a", 1, 9))
    assert engine.submit(0.0, Job("b", 1, 9))
    assert not engine.submit(0.0, Job("c", 1, 9))
    engine.advance(1.0)  # a and b are admitted
    assert engine.submit(1.0, Job("c", 1, 9))


@pytest.mark.parametrize(
    ("at", "job", "words"),
    [
        (0.0, Job("a", 60, 5), "KV cache"),
        (0.0, Job("a", 0, 5), "at least 1 input token"),
        (0.0, Job("twice", 1, 1), "inside already"),
        (-1.0, Job("a", 1, 1), "before the engine's time"),
    ],
)
def test_jobs_that_cannot_be_taken(at: float, job: Job, words: str) -> None:
    engine = Engine(by_hand())
    engine.submit(0.0, Job("twice", 1, 1))
    with pytest.raises(ValueError, match=words):
        engine.submit(at, job)


def test_limits_that_contradict() -> None:
    with pytest.raises(ValueError, match="seqs_max"):
        Engine(by_hand(seqs_max=9))
    with pytest.raises(ValueError, match="no multiple"):
        Engine(by_hand(), prefix_tokens=6)


def test_tokens_are_told_step_by_step() -> None:
    engine = Engine(by_hand())
    engine.submit(0.0, Job("a", 1, 5))
    assert engine.advance(10.9, tokens=True) == [Progress("admitted", "a", 0.0, 0)]
    assert engine.next_token_at() == 11.0
    told = engine.advance(11.0, tokens=True)
    assert told[-1] == Progress("tokens", "a", 11.0, 1)
    assert engine.next_token_at() == 12.0
    assert engine.next_at() == 15.0
    assert engine.advance(13.5, tokens=True) == [Progress("tokens", "a", 13.0, 2)]
    assert engine.produced("a") == 3
    assert engine.next_token_at() == 14.0
    assert engine.advance(20.0, tokens=True) == [Progress("finished", "a", 15.0, 5)]


def test_cancel_frees_the_slot_at_the_next_boundary() -> None:
    engine = Engine(by_hand(seqs_max=1))
    engine.submit(0.0, Job("a", 1, 50))
    engine.submit(0.0, Job("b", 1, 1))
    engine.advance(14.5)
    assert engine.cancel("a")
    assert engine.snapshot().running == 0
    assert not engine.cancel("a")
    assert engine.advance(math.inf) == [
        Progress("admitted", "b", 15.0, 0),
        Progress("first-token", "b", 26.0, 1),
        Progress("finished", "b", 26.0, 1),
    ]
    assert engine.snapshot().kv_blocks_used == 0


@pytest.mark.parametrize("moment", [0.0, 0.5, 11.0, 12.5])
def test_cancel_at_any_moment_leaves_nothing_behind(moment: float) -> None:
    engine = Engine(by_hand())
    for name in "abc":
        engine.submit(0.0, Job(name, 9, 4, (1, 2)))
    engine.advance(moment)
    for name in "abc":
        engine.cancel(name)
    assert not [one for one in engine.advance(math.inf) if one.kind == "finished"]
    state = engine.snapshot()
    assert (state.running, state.waiting, state.kv_blocks_used) == (0, 0, 0)


def test_the_next_turn_finds_its_prompt_and_its_answer() -> None:
    engine = Engine(by_hand())
    engine.submit(0.0, Job("first", 8, 5, (1, 2, 3)))
    engine.advance(1000.0)
    engine.submit(1000.0, Job("next", 16, 1, (1, 2, 3, 4)))
    told = engine.advance(math.inf)
    assert told[0] == Progress("admitted", "next", 1000.0, 12)
    state = engine.snapshot()
    assert (state.prefix_query_tokens, state.prefix_hit_tokens) == (24, 12)


def test_preemption_recomputes_and_loses_no_token() -> None:
    engine = Engine(by_hand(kv_tokens_max=16), prefix_cache=False)
    engine.submit(0.0, Job("a", 4, 8))
    engine.submit(0.0, Job("b", 4, 8))
    told = engine.advance(math.inf)
    assert times(told, "preempted") == {"b": 22.0}
    assert {one.job: one.tokens for one in told if one.kind == "finished"} == {"a": 8, "b": 8}
    assert engine.snapshot().preemptions == 1


def test_counters_and_energy() -> None:
    engine = Engine(by_hand())
    engine.submit(0.0, Job("a", 1, 5))
    engine.submit(0.0, Job("b", 1, 0))  # no answer, as embeddings have none
    told = engine.advance(math.inf)
    assert times(told, "finished") == {"b": 12.0, "a": 16.0}
    state = engine.snapshot()
    assert (state.prompt_tokens, state.output_tokens, state.steps) == (2, 5, 5)
    assert state.busy_s == 16.0
    # 12 s with two jobs at 100 + 100 * 2/3 W, 4 s with one at 150 W
    assert state.joules == pytest.approx(12 * (100 + 200 / 3) + 4 * 150)


def test_kv_usage_grows_while_decoding() -> None:
    engine = Engine(by_hand())
    engine.submit(0.0, Job("a", 4, 40))
    engine.advance(14.0)
    assert engine.snapshot().kv_blocks_used == 1
    engine.advance(14.0 + 8)
    assert engine.snapshot().kv_blocks_used == 3


def test_replays_300_requests_of_a_real_engine(real_data: Path) -> None:
    folder = real_data / "vllm_per_request"
    if not folder.is_dir():
        pytest.skip("no vllm_per_request among the data sets")
    with (folder / "requests.csv").open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["run"] == "RTXPRO6000/Llama-3.1-8B"]
    rows.sort(key=lambda row: float(row["queued_s"]))
    engine = Engine(profile("rtx-pro-6000/llama-3.1-8b"), prefix_cache=False)
    for row in rows:
        job = Job(row["i"], int(row["input_tokens"]), int(row["output_tokens"]))
        engine.submit(float(row["queued_s"]), job)
    told = engine.advance(math.inf)
    first, last = times(told, "first-token"), times(told, "finished")

    def error(ours: dict[str, float], column: str) -> float:
        got = statistics.mean(ours[row["i"]] - float(row["queued_s"]) for row in rows)
        want = statistics.mean(float(row[column]) - float(row["queued_s"]) for row in rows)
        return got / want - 1

    ttft, e2e = error(first, "first_token_s"), error(last, "last_token_s")
    print(f"mean error: TTFT {ttft:+.1%}, E2E {e2e:+.1%} over {len(rows)} requests")
    assert abs(e2e) < 0.05
    assert abs(ttft) < 0.06
