"""Are figures of sessions fitted as they were drawn, and distances what they are called?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.sim.agents import book, value_at
from flyball.sim.validate.agents import (
    FIGURES,
    SHARES,
    Session,
    common,
    distances,
    fitted,
    halves,
    ks,
    played,
    session_share,
    table,
)

SEED = 5


def session(prompts: list[int], answers: list[int], kept: list[int]) -> Session:
    count = len(prompts)
    return Session(prompts, answers, kept, [0.0, *[2.0] * (count - 1)], [False] * count)


def test_every_second_session_judges() -> None:
    sessions = [session([100 + i], [1], [0]) for i in range(5)]
    fit, judge = halves(sessions)
    assert [one.prompts[0] for one in fit] == [100, 102, 104]
    assert [one.prompts[0] for one in judge] == [101, 103]


@pytest.mark.parametrize("name", sorted(book().agents))
def test_a_fit_of_generated_sessions_finds_the_agent_again(name: str) -> None:
    print("seed", SEED)
    agent = book().agents[name]
    found = fitted(agent, played(agent, 300, SEED))
    for figure in ("output_tokens", "tool_s"):
        for share in (0.25, 0.5, 0.75):
            drawn = value_at(getattr(agent, figure), share)
            assert value_at(getattr(found, figure), share) == pytest.approx(drawn, rel=0.2)
    assert found.dropped_ratio == pytest.approx(agent.dropped_ratio, abs=0.05)
    assert found.human_ratio == pytest.approx(agent.human_ratio, abs=0.02)
    assert found.rewrite_ratio == pytest.approx(agent.rewrite_ratio, abs=0.01)
    assert found.session_share["output"] == pytest.approx(agent.session_share["output"], abs=0.08)
    assert (found.system_tokens, found.client) == (agent.system_tokens, agent.client)


def test_compactions_and_rewrites_are_told_apart() -> None:
    agent = book().agents["claude-code"]
    grown = session([6400, 12_800, 13_000], [10, 10, 10], [0, 100, 200])
    rewritten = session([6400, 6500], [10, 10], [0, 50])
    compacted = session([128_000, 32_000], [10, 10], [0, 10])
    found = fitted(agent, [grown, rewritten, compacted])
    assert found.rewrite_ratio == pytest.approx(1 / 3, abs=1e-4)  # of the turns not compacted
    assert value_at(found.rewrite_at, 0.5) == 0.5
    assert value_at(found.compact_to, 0.5) == 0.25
    assert found.compact == ((0.0, 0.0), (120_000.0, 1.0))
    assert value_at(found.added_tokens, 1.0) == 6400 - 10
    assert found.dropped_ratio == 0.0


def test_prompts_that_grow_by_less_than_the_answer_have_dropped_it() -> None:
    agent = book().agents["claude-code"]
    found = fitted(agent, [session([1000, 1040, 1400], [100, 100, 100], [0, 15, 16])])
    assert found.dropped_ratio == 0.5
    assert value_at(found.dropped_share, 0.5) == 0.4
    assert value_at(found.added_tokens, 0.5) == 260


def test_a_heavy_tail_keeps_its_mean() -> None:
    sample = np.random.default_rng(SEED).lognormal(6.0, 1.5, 20_000)
    found = table(sample.tolist())
    made = np.array([value_at(found, share) for share in np.linspace(0, 1, 20_001)])
    assert made.mean() == pytest.approx(sample.mean(), rel=0.06)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_a_table_rises_from_the_least_to_the_most(values: list[float]) -> None:
    made = table(values)
    assert [share for share, _ in made] == list(SHARES)
    found = [value for _, value in made]
    assert found == sorted(found)
    assert found[0] == pytest.approx(min(values), rel=1e-3)
    assert found[-1] == pytest.approx(max(values), rel=1e-3)


def test_a_table_of_nothing_is_empty() -> None:
    assert table([]) == ()


@pytest.mark.parametrize("between", [0.0, 0.5, 0.9])
def test_the_share_between_sessions_is_found(between: float) -> None:
    rng = np.random.default_rng(SEED)
    groups = [
        (np.sqrt(between) * rng.normal() + np.sqrt(1 - between) * rng.normal(size=40)).tolist()
        for _ in range(300)
    ]
    assert session_share(groups) == pytest.approx(between, abs=0.06)
    assert session_share([[1.0, 2.0]]) == 0.0  # one short session tells nothing


def test_common_is_the_leading_part() -> None:
    assert common([1, 2, 3], [1, 2, 4, 3]) == 2
    assert common([], [1]) == 0


def test_the_distance_is_kolmogorov_s() -> None:
    one, other = np.array([1.0, 2.0, 3.0, 4.0]), np.array([3.0, 4.0, 5.0, 6.0])
    assert ks(one, one) == 0.0
    assert ks(one, other) == 0.5
    assert ks(one, one + 10.0) == 1.0


def test_a_sample_is_near_its_own_kind_and_far_from_another() -> None:
    agent = book().agents["claude-code"]
    recorded = played(agent, 150, SEED)
    near = {one.figure: one for one in distances(played(agent, 150, SEED + 1), recorded)}
    assert set(near) == set(FIGURES)
    alone = near["steps of a session"]
    assert alone.recorded == 150 and alone.ks < 1.5 * alone.ks_chance
    longer = replace(agent, steps=tuple((share, 3.0 * value) for share, value in agent.steps))
    far = {one.figure: one for one in distances(played(longer, 150, SEED), recorded)}
    assert far["steps of a session"].ks > 2 * alone.ks_chance
    assert far["steps of a session"].median_ratio == pytest.approx(3.0, rel=0.35)
