"""Does the generated workload have the published statistics, and the rate that was asked?"""

import numpy as np
import pytest

from flyball.sim import workload


def test_the_azure_hour() -> None:
    seed = 4
    print("seed", seed)
    rows = workload.generate(seed, 3500.0, 5.53, {"chat": 1.0})
    assert len(rows) / 3500 == pytest.approx(5.53, rel=0.03)
    assert np.mean([row.input_tokens for row in rows]) == pytest.approx(1155, rel=0.04)
    assert np.mean([row.output_tokens for row in rows]) == pytest.approx(211, rel=0.04)


def test_arrivals_are_bursty_over_minutes() -> None:
    cvs, dispersions = [], []
    for seed in range(12):
        times = workload.arrivals(np.random.default_rng(seed), 3500.0, 5.53)
        gaps = np.diff(times)
        assert (gaps >= 0).all()
        cvs.append(gaps.std() / gaps.mean())
        counts = np.bincount((times // 60).astype(int))[:-1]
        dispersions.append(counts.var() / counts.mean())
    assert 1.05 < np.mean(cvs) < 1.12
    assert 15 < np.mean(dispersions) < 40


@pytest.mark.parametrize("name", sorted(workload.KINDS))
def test_each_kind_keeps_the_rate(name: str) -> None:
    counts = [len(workload.generate(seed, 60.0, 20.0, {name: 1.0})) for seed in range(6)]
    print("counts", counts)
    assert np.mean(counts) == pytest.approx(1200, rel=0.15)


def test_same_seed_same_rows() -> None:
    assert workload.generate(7, 20.0, 10.0) == workload.generate(7, 20.0, 10.0)
    assert workload.generate(7, 20.0, 10.0) != workload.generate(8, 20.0, 10.0)


def test_turns_share_their_prefix() -> None:
    rows = workload.generate(3, 120.0, 10.0, {"agent": 1.0}, model="m")
    last: dict[str, tuple[int, ...]] = {}
    continued = 0
    for row in rows:
        assert row.model == "m"
        assert len(row.prefix_blocks) == row.input_tokens // workload.BLOCK_TOKENS
        before = last.get(row.session)
        if before is not None:
            assert row.prefix_blocks[: len(before)] == before
            continued += 1
        last[row.session] = row.prefix_blocks
    assert continued > 500


def test_an_answer_s_blocks_stand_in_the_next_turn_s_prompt() -> None:
    rows = workload.generate(3, 120.0, 10.0, {"agent": 1.0})
    last: dict[str, tuple[int, ...]] = {}
    filled = 0
    for row in rows:
        before = last.get(row.session, ())
        assert row.prefix_blocks[: len(before)] == before
        filled += len(row.answer_blocks)
        last[row.session] = row.prefix_blocks + row.answer_blocks
    assert filled > 500
    assert not any(row.answer_blocks for row in workload.generate(3, 60.0, 10.0, {"chat": 1.0}))


def test_rows_are_in_time_order_with_all_classes() -> None:
    rows = workload.generate(5, 60.0, 30.0)
    times = [row.at_s for row in rows]
    assert times == sorted(times)
    assert times[0] >= 0 and times[-1] < 60
    assert {row.class_name for row in rows} == set(workload.DEFAULT_MIX)
    assert max(row.output_tokens for row in rows if row.class_name == "edge") <= 8


@pytest.mark.parametrize(
    ("seconds", "rate", "mix", "said"),
    [
        (0.0, 1.0, None, "must be above 0"),
        (1.0, -1.0, None, "must be above 0"),
        (1.0, 1.0, {"chat": 0.0}, "must be above 0"),
        (1.0, 1.0, {"chat": 2.0, "edge": -1.0}, "no share below 0"),
        (1.0, 1.0, {"chatt": 1.0}, "no class of work 'chatt': there are chat"),
        (1.0, 1.0, {}, "must be above 0"),
    ],
)
def test_nonsense_is_refused(
    seconds: float, rate: float, mix: dict[str, float] | None, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        workload.generate(1, seconds, rate, mix)
