"""Is a prompt cut above either line, and only then?"""

import pytest

from flyball.sim.rivals.threshold_truncation import ThresholdTruncation


@pytest.mark.parametrize(
    ("tokens", "kv_usage", "spend", "kept"),
    [
        (8000, 0.80, 0.80, 8000),
        (8000, 0.81, 0.0, 6000),
        (8000, 0.0, 0.81, 6000),
        (1200, 0.9, 0.0, 1024),
        (500, 0.9, 0.9, 500),
    ],
)
def test_by_hand(tokens: int, kv_usage: float, spend: float, kept: int) -> None:
    assert ThresholdTruncation().kept(tokens, kv_usage, spend) == kept


def test_tuned() -> None:
    assert ThresholdTruncation({"keep_ratio": 0.5}).kept(8000, 0.9, 0.0) == 4000
