"""Does it wait and give up as the installed openai client does?"""

import openai
import pytest
from openai import _constants

from flyball.sim.rivals.sdk_default import SdkDefault


@pytest.mark.parametrize(
    ("attempt", "status", "after_s", "draw", "wait_s"),
    [
        (1, 500, 0.0, 0.0, 0.5),
        (1, 0, 0.0, 1.0, 0.375),
        (2, 429, 0.0, 0.5, 0.875),
        (3, 500, 0.0, 0.0, None),
        (1, 400, 0.0, 0.0, None),
        (1, 408, 7.0, 0.9, 7.0),
        (1, 503, 121.0, 0.0, None),
    ],
)
def test_by_hand(
    attempt: int, status: int, after_s: float, draw: float, wait_s: float | None
) -> None:
    assert SdkDefault().wait_s(attempt, status, after_s, draw, 1) == wait_s


def test_constants_are_the_client_s() -> None:
    c = SdkDefault().constants
    assert c["retries_max"] == _constants.DEFAULT_MAX_RETRIES
    assert c["delay_s"] == _constants.INITIAL_RETRY_DELAY
    assert c["delay_s_max"] == _constants.MAX_RETRY_DELAY


def test_waits_lie_where_the_client_s_do() -> None:
    client = openai.OpenAI(api_key="k", base_url="http://127.0.0.1:1", max_retries=9)
    options = openai._models.FinalRequestOptions(method="post", url="/x", max_retries=9)
    rule = SdkDefault({"retries_max": 9})
    for attempt in range(1, 8):
        theirs = [client._calculate_retry_timeout(10 - attempt, options, None) for _ in range(40)]
        most, least = rule.wait_s(attempt, 500, 0.0, 0.0, 1), rule.wait_s(attempt, 500, 0.0, 1.0, 1)
        assert most is not None and least is not None
        assert all(least - 1e-9 <= wait <= most + 1e-9 for wait in theirs)
