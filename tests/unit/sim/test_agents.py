"""Are the agents' figures well formed, and the rules over them what they say?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.sim.agents import Quantiles, book, correlated, mixed, share_of, value_at

TABLES = (
    "steps", "first_tokens", "added_tokens", "dropped_share", "output_tokens", "tool_s", "human_s",
    "compact_to", "rewrite_at",
)  # fmt: skip


@pytest.mark.parametrize("name", sorted(book().agents))
def test_an_agent_s_tables_rise_and_have_a_client(name: str) -> None:
    agent = book().agents[name]
    assert agent.client in book().clients and agent.source
    for figure in TABLES:
        table: Quantiles = getattr(agent, figure)
        shares, values = [x for x, _ in table], [y for _, y in table]
        assert shares == sorted(shares) and values == sorted(values), figure
        assert not table or (shares[0], shares[-1]) == (0.0, 1.0)
    assert agent.steps[0][1] >= 1 and agent.output_tokens[-1][1] > 1
    assert agent.added_tokens[0][1] >= 0 and agent.tool_s[0][1] >= 0
    assert all(0 < to < 0.8 for _, to in agent.compact_to)


def test_mini_swe_agent_waits_as_tenacity_does() -> None:
    client = book().clients["mini-swe-agent"]
    pauses = [client.pause_s(tries, 0.5) for tries in range(1, client.attempts_max)]
    assert pauses == [4.0, 4.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_claude_code_s_pauses_double_less_jitter() -> None:
    client = book().clients["claude-code"]
    assert [client.pause_s(tries, 0.0) for tries in (1, 2, 3, 8)] == [0.5, 1.0, 2.0, 32.0]
    assert client.pause_s(1, 1.0) == 0.375
    assert client.attempts_max == 11 and client.sdk_retries == 0


def test_a_whole_prompt_never_breaks_and_a_short_one_mostly_does() -> None:
    rule = book().breaks
    assert rule.probability(1.0) == 0.0
    assert rule.probability(rule.half_at) == pytest.approx(rule.most / 2)
    assert rule.probability(0.0) > 0.98 * rule.most
    falling = [rule.probability(kept) for kept in (0.9, 0.75, 0.5, 0.3, 0.1)]
    assert falling == sorted(falling)


def test_a_table_is_linear_between_its_points() -> None:
    table = ((0.0, 1.0), (0.5, 3.0), (1.0, 11.0))
    assert [value_at(table, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)] == [1, 2, 3, 7, 11]
    assert value_at((), 0.5) == 0.0


@given(st.floats(-8, 8))
def test_ranks_lie_between_0_and_1_and_are_symmetric(normal: float) -> None:
    assert 0.0 <= share_of(normal) <= 1.0
    assert share_of(normal) + share_of(-normal) == pytest.approx(1.0)


@pytest.mark.parametrize("between", [0.0, 0.3, 1.0])
def test_a_session_s_ranks_are_uniform_and_share_what_they_should(between: float) -> None:
    seed = 3
    print("seed", seed)
    rng = np.random.default_rng(seed)
    pairs = []
    for _ in range(4000):
        session = float(rng.standard_normal())
        pairs.append([mixed(session, rng, between), mixed(session, rng, between)])
    ranks = np.array(pairs)
    assert ranks.mean() == pytest.approx(0.5, abs=0.02)
    assert ranks.var() == pytest.approx(1 / 12, rel=0.06)
    # Rank correlation of a Gaussian copula: 6/pi asin(rho/2) (Kruskal 1958).
    expected = 6 / np.pi * np.arcsin(between / 2)
    assert np.corrcoef(ranks.T)[0, 1] == pytest.approx(expected, abs=0.05)


def test_a_negative_correlation_turns_the_rank() -> None:
    rng = np.random.default_rng(1)
    assert correlated(2.0, rng, -1.0) == pytest.approx(share_of(-2.0))
