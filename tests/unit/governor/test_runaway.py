"""Is a session that goes round in circles seen, and one that works on left alone?"""

import random

from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.runaway import SIGNATURES_KEPT, THREADS_MAX, Watch
from flyball.model.request import RequestHead

REPEATS, COMPACTIONS = 12, 5


def head(size: int, blocks: tuple[int, ...], last: int = 0) -> RequestHead:
    return RequestHead(
        operation="chat", model="m", prompt_bytes=size, prefix=blocks, last_digest=last
    )


class Context:
    """A context that grows: `blocks` of 1,024 bytes named by `name`."""

    def __init__(self, name: int, size: int = 3000) -> None:
        self.name = name
        self.size = size

    def call(self, growth: int, last: int) -> RequestHead:
        self.size += growth
        blocks = tuple(self.name * 100_000 + n for n in range(self.size // 1024))
        return head(self.size, blocks, last)


def test_the_same_call_and_result_again_and_again_is_a_loop() -> None:
    watch, context = Watch(), Context(1)
    for step in range(REPEATS + 2):
        assert watch.why(REPEATS, COMPACTIONS) == ""
        watch.step(context.call(300 + 10 * (step % 2), last=7 + step % 2), True)
    for step in range(REPEATS + 2, REPEATS + 4):
        watch.step(context.call(300 + 10 * (step % 2), last=7 + step % 2), True)
    assert watch.why(REPEATS, COMPACTIONS) == "repeats"
    assert not watch.is_moving
    watch.step(context.call(411, last=99), True)
    assert watch.why(REPEATS, COMPACTIONS) == ""
    assert watch.is_moving


def test_known_results_and_new_words_are_no_progress_only_for_long() -> None:
    watch, context, rng = Watch(), Context(1), random.Random(4)
    for step in range(3 + 2 * REPEATS):
        assert watch.why(REPEATS, COMPACTIONS) == ""
        watch.step(context.call(rng.randrange(200, 100_000), last=1 + step % 3), True)
    watch.step(context.call(5, last=1), True)
    assert watch.why(REPEATS, COMPACTIONS) == "no progress"


def test_a_prompt_sent_at_once_many_times_is_sampling() -> None:
    watch, context = Watch(), Context(1)
    watch.step(context.call(100, last=5), True)
    for _ in range(200):
        watch.step(context.call(0, last=5), False)
    assert watch.why(REPEATS, COMPACTIONS) == ""
    for _ in range(3 * REPEATS):
        watch.step(context.call(0, last=5), True)
    assert watch.why(REPEATS, COMPACTIONS) == "repeats"


def test_contexts_filled_and_thrown_away_are_a_loop_of_compactions() -> None:
    watch = Watch()
    for cycle in range(COMPACTIONS + 1):
        context = Context(cycle + 1, 40_000)
        for step in range(3):
            watch.step(context.call(40_000, last=100 * cycle + step + 1), True)
    assert watch.why(REPEATS, COMPACTIONS) == "compactions"
    assert watch.peak_bytes == 160_000


def test_a_compaction_after_long_work_is_none() -> None:
    watch = Watch()
    for cycle in range(3 * COMPACTIONS):
        context = Context(cycle + 1, 40_000)
        for step in range(12):
            watch.step(context.call(10_000, last=100 * cycle + step + 1), True)
    assert watch.why(REPEATS, COMPACTIONS) == ""


def test_sub_agents_between_their_callers_steps_are_none() -> None:
    watch, caller, digest = Watch(), Context(1, 100_000), 0
    for number in range(40):
        digest += 1
        watch.step(caller.call(900, last=digest), True)
        for inner in (Context(2 + 2 * number), Context(3 + 2 * number)):
            for _ in range(3):
                digest += 1
                watch.step(inner.call(5000, last=digest), True)
    assert watch.why(REPEATS, COMPACTIONS) == ""


def test_a_rewritten_past_is_the_same_context() -> None:
    watch = Watch()
    blocks = tuple(range(100))
    watch.step(head(102_500, blocks, 1), True)
    rewritten = (*blocks[:80], *range(500, 521))
    watch.step(head(103_500, rewritten, 2), True)
    assert watch.cycles == 0
    assert watch.context_bytes == 103_500


@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.integers(-2000, 9000), st.integers(1, 40)), max_size=200
    )
)
def test_what_is_kept_is_bounded(calls: list[tuple[int, int, int]]) -> None:
    watch, contexts = Watch(), {}
    for name, growth, last in calls:
        context = contexts.setdefault(name, Context(name, 20_000))
        context.size = max(1, context.size)
        watch.step(context.call(max(growth, 1 - context.size), last), True)
    assert len(watch._threads) <= THREADS_MAX
    assert len(watch._signatures) <= SIGNATURES_KEPT
    assert len(watch._tails) <= SIGNATURES_KEPT


@given(st.integers(0, 2**32))
def test_calls_that_all_bring_something_new_are_never_a_loop(seed: int) -> None:
    watch, context, rng = Watch(), Context(1), random.Random(seed)
    for step in range(300):
        watch.step(context.call(rng.randrange(1, 5000), last=step + 1), True)
        assert watch.why(3, COMPACTIONS) == "", f"seed {seed}"
