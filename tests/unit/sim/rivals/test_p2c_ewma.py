"""Is the score agentgateway's, with its smoothing?"""

import pytest

from flyball.governor.events import Served
from flyball.sim.rivals.p2c_ewma import P2cEwma
from support import rivals


def served(at: float) -> Served:
    return Served(at=at, request_id="r", status=200, output_tokens=10)


def test_score_by_hand() -> None:
    router, (one, other) = P2cEwma(rivals.setting(2)), rivals.views(2)
    assert router.score(one) == 1.0
    router.first_byte(2.0, rivals.sent(router, rivals.ask(), one), one)
    # The first latency counts whole; 1 pending: 1 / (1 + 2 * (1 + 0.1)) = 1 / 3.2.
    assert router.score(one) == pytest.approx(1 / 3.2)
    router.first_byte(1.0, rivals.sent(router, rivals.ask(), one), one)
    # EWMA: 0.3 * 1 + 0.7 * 2 = 1.7; 2 pending: 1 / (1 + 1.7 * 1.2) = 1 / 3.04.
    assert router.score(one) == pytest.approx(1 / 3.04)
    router.failed(3.0, rivals.ask(), one, "reset")
    assert router.score(one) == pytest.approx(0.7 / 3.04)
    router.failed(3.0, rivals.ask(), one, "gone")
    assert router.score(one) == pytest.approx(0.7 / 3.04)
    router.first_byte(1.7, rivals.sent(router, rivals.ask(), one, at=0.0), one)
    # Health recovers: 0.7 + 0.3 * 0.3 = 0.79; latency stays 1.7; 3 pending.
    assert router.score(one) == pytest.approx(0.79 / (1 + 1.7 * 1.3))
    assert router.score(other) == 1.0


def test_without_a_stream_the_whole_answer_counts() -> None:
    router, (one,) = P2cEwma(rivals.setting(1)), rivals.views(1)
    request = rivals.sent(router, rivals.ask(stream=False), one)
    router.first_byte(1.0, request, one)
    router.served(4.0, request, one, served(4.0))
    assert router.score(one) == pytest.approx(1 / (1 + 4.0 * 1.1))


def test_two_draws_with_replacement() -> None:
    router, views = P2cEwma(rivals.setting(2)), rivals.views(2)
    router.failed(0.0, rivals.ask(), views[1], "reset")
    first, second = rivals.shares(router, views, picks=800)
    # The worse one wins only when drawn twice: one time in four.
    assert 150 < second < 250 and first + second == 800
