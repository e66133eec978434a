"""Do a rival's records say what was chosen and what became of it?"""

import pytest

from flyball.governor.events import Served
from flyball.model.faults import Refusal
from flyball.sim.rivals import records
from support import rivals


def test_an_intent_has_one_candidate_and_no_price() -> None:
    (view,) = rivals.views(1)
    rivals.scraped(view, at=1.0)
    request = rivals.ask(session_hint="s1", retry_count=1)
    request.attempt, request.cached_tokens = 1, 64
    made = records.intent(3.0, request, view, 4)
    assert (made.id, made.attempt, made.endpoint, made.pool) == ("r", 1, "big-0", "big")
    assert made.candidates_count == 4 and made.candidates[0].endpoint == "big-0"
    assert made.candidates[0].cached_tokens == 64 and made.candidates[0].total_usd == 0.0
    assert made.view_age_s == 2.0 and made.held_s == 3.0 and made.is_retry
    assert made.session == "s1" and made.class_name == "chat"


def outcome(at: float, first_byte_at: float, stream: bool = True, **head: object):
    (view,) = rivals.views(1)
    request = rivals.ask(stream=stream, **head)
    request.attempt, request.first_byte_at = 1, first_byte_at
    event = Served(at=at, request_id="r", status=200, output_tokens=11)
    return records.outcome(at, request, "served", view, event)


@pytest.mark.parametrize(
    ("at", "first_byte_at", "head", "in_time"),
    [
        (1.5, 1.0, {}, True),  # TTFT 1.0 of 1.0 s, 50 ms a token of 60
        (1.5, 1.01, {}, False),
        (1.7, 1.0, {}, False),  # 70 ms a token
        (1.5, 1.0, {"ttft_s_max": 0.5}, False),
        (1.5, 1.0, {"deadline_s": 1.4}, False),
        (1.5, 1.0, {"stream": False}, True),  # 1.5 <= 1.0 + 10 * 0.06
        (1.7, 1.0, {"stream": False}, False),
    ],
)
def test_in_time(at: float, first_byte_at: float, head: dict[str, object], in_time: bool) -> None:
    made = outcome(at, first_byte_at, **head)
    assert made.in_time is in_time
    assert (made.ttft_s, made.e2e_s, made.status) == (first_byte_at, at, 200)


def test_refused_and_gone() -> None:
    request = rivals.ask()
    refusal = Refusal(code="queue_full", detail="3 requests", retry_after_s=1.0)
    made = records.outcome(2.0, request, "refused", None, refusal=refusal)
    assert (made.status, made.code, made.attempts, made.endpoint) == (429, "queue_full", 0, "")
    assert made.reason == refusal.message and made.retry_after_s == 1.0 and not made.in_time
    assert records.outcome(2.0, request, "client-gone", None).status == 499
