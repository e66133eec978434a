"""Are averages per token, cooldowns and retries LiteLLM's, oddities included?"""

import pytest

from flyball.governor.events import AttemptFailed, Served
from flyball.model.faults import Refusal
from flyball.sim.rivals.litellm_latency import LitellmLatency
from flyball.sim.rivals.router import EndpointView
from support import rivals


def answer(
    router: LitellmLatency,
    view: EndpointView,
    at: float,
    whole_s: float,
    tokens: int = 10,
    first_s: float = 0.0,
) -> None:
    request = rivals.sent(router, rivals.ask(stream=first_s > 0.0), view, at=at)
    request.first_byte_at = at + (first_s or whole_s)
    event = Served(at=at + whole_s, request_id="r", status=200, output_tokens=tokens)
    router.served(at + whole_s, request, view, event)


def test_the_fastest_per_token_and_the_unused_first() -> None:
    router, views = LitellmLatency(rivals.setting(3)), rivals.views(3)
    answer(router, views[0], 0.0, 2.0, tokens=10)
    answer(router, views[1], 0.0, 3.0, tokens=30)
    assert [router.latency(i, False) for i in range(3)] == pytest.approx([0.2, 0.1, 0.0])
    assert rivals.shares(router, views, picks=10) == [0, 0, 10]
    assert rivals.shares(router, views[:2], picks=10)[:2] == [0, 10]


def test_a_full_list_replaces_only_its_last_value() -> None:
    router, views = LitellmLatency(rivals.setting(1)), rivals.views(1)
    for _ in range(10):
        answer(router, views[0], 0.0, 10.0)
    assert router.latency(0, False) == pytest.approx(1.0)
    for _ in range(50):
        answer(router, views[0], 0.0, 0.0)
    # Nine old seconds stay for ever: an endpoint that was slow once is slow in its books.
    assert router.latency(0, False) == pytest.approx(0.9)


def test_streams_are_judged_by_first_token_over_all_tokens() -> None:
    router, views = LitellmLatency(rivals.setting(1)), rivals.views(1)
    answer(router, views[0], 0.0, 5.0, tokens=10, first_s=1.0)
    answer(router, views[0], 0.0, 5.0, tokens=10)
    # (1/10) / 2 for streams, as the sum is divided by the number of whole times; (.5 + .5) / 2.
    assert router.latency(0, True) == pytest.approx(0.05)
    assert router.latency(0, False) == pytest.approx(0.5)


def test_more_than_half_failing_cools_down() -> None:
    router, views = LitellmLatency(rivals.setting(2)), rivals.views(2)
    answer(router, views[1], 0.0, 9.0)
    router.failed(10.0, rivals.ask(), views[0], "status")  # one alone is not judged
    assert router.pick(10.0, rivals.ask(), views) is views[0]
    router.failed(11.0, rivals.ask(), views[0], "status")
    assert router.pick(11.0, rivals.ask(), views) is views[1]
    assert router.pick(15.9, rivals.ask(), views) is views[1]
    assert router.pick(16.0, rivals.ask(), views) is views[0]
    refusal = router.pick(12.0, rivals.ask(), views[:1])
    assert isinstance(refusal, Refusal) and refusal.retry_after_s == 5.0


def test_half_is_not_more_than_half_and_minutes_start_anew() -> None:
    router, views = LitellmLatency(rivals.setting(1)), rivals.views(1)
    answer(router, views[0], 0.0, 1.0)
    router.failed(2.0, rivals.ask(), views[0], "reset")
    assert router.pick(2.0, rivals.ask(), views) is views[0]
    router.failed(61.0, rivals.ask(), views[0], "reset")
    assert router.pick(61.0, rivals.ask(), views) is views[0]


def test_timeouts_spoil_the_average() -> None:
    router, views = LitellmLatency(rivals.setting(1)), rivals.views(1)
    router.failed(1.0, rivals.ask(), views[0], "gone")
    assert router.latency(0, False) == 0.0
    router.failed(1.0, rivals.ask(), views[0], "deadline")
    assert router.latency(0, False) == 1000.0


@pytest.mark.parametrize(
    ("status", "attempt", "wait_s"),
    [(500, 1, 0.0), (0, 2, 0.0), (429, 1, 0.0), (400, 1, None), (500, 3, None)],
)
def test_retries(status: int, attempt: int, wait_s: float | None) -> None:
    router, request = LitellmLatency(rivals.setting(1)), rivals.ask()
    request.attempt = attempt
    event = AttemptFailed(at=1.0, request_id="r", endpoint=0, cause="status", status=status)
    assert router.retry_s(1.0, request, event) == wait_s


def test_the_buffer_lets_near_ones_share() -> None:
    router, views = LitellmLatency(rivals.setting(2), {"latency_buffer": 0.5}), rivals.views(2)
    answer(router, views[0], 0.0, 1.0)
    answer(router, views[1], 0.0, 1.4)
    assert min(rivals.shares(router, views)) > 100
