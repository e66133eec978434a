"""Do prompts and answers share a pool's engines where the price of both is the same?"""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.governor.loops.split import best_split
from flyball.governor.loops.worth import Work, undone
from flyball.model.split import Split
from support import fleets, steering

works = st.builds(Work, st.floats(0.0, 8.0), st.floats(0.0, 2.0), st.just(1.0))


@given(works, works, st.integers(2, 10))
def test_no_other_split_leaves_less_undone(prompts: Work, answers: Work, engines: int) -> None:
    count = best_split(prompts, answers, engines)
    assert 1 <= count < engines

    def left(prefill: int) -> float:
        return undone(prompts, prefill) + undone(answers, engines - prefill)

    slack = 1e-3 * (prompts.mean + answers.mean)
    assert left(count) <= min(left(other) for other in range(1, engines)) + slack + 1e-9


def test_with_room_for_both_the_fuller_side_is_as_empty_as_can_be() -> None:
    assert best_split(Work(1.0, 0.0, 1.0), Work(3.0, 0.0, 1.0), 8) == 2


def test_longer_prompts_ask_for_more_prefill_engines() -> None:
    split = Split(
        engine=fleets.H100, prefill=2, decode=2, link_bytes_s=5e10, kv_token_bytes=131072.0
    )
    fleet = fleets.fleet(h100=1, l40s=0)
    pools = tuple(
        replace(p, split=split, profile=split.as_one()) if p.name == "big" else p
        for p in fleet.pools
    )
    state = steering.state(replace(fleet, pools=pools), {"chat": 20.0})
    one = steering.context("split")
    state.tallies["chat"].input_tokens, state.tallies["chat"].output_tokens = 200.0, 800.0
    short = steering.wished(state, one)["big"]
    state.tallies["chat"].input_tokens, state.tallies["chat"].output_tokens = 6000.0, 50.0
    long = steering.wished(state, one)["big"]
    assert short.value == 1.0 < long.value
    assert short.present == 2.0


def test_a_pool_of_whole_engines_is_asked_nothing() -> None:
    assert steering.wished(steering.state(rates={"chat": 5.0}), steering.context("split")) == {}
