"""Is KV kept just as long as keeping is cheaper than computing again?"""

import math

import pytest

from flyball.governor.loops.sessioncache import keep_seconds
from flyball.model.prices import PoolPrice, PriceBoard
from support import steering


def test_keeping_breaks_even_with_computing_again() -> None:
    gpu, prefill_s, kv = 0.001, 25e-6, 1e-10
    keep_s = keep_seconds(gpu, prefill_s, kv)
    assert keep_s * kv == pytest.approx(gpu * prefill_s)


def test_while_kv_costs_nothing_it_is_kept_as_long_as_allowed() -> None:
    assert keep_seconds(0.001, 25e-6, 0.0) == math.inf
    found = steering.wished(steering.state(), steering.context("session_cache"))
    assert {wish.value for wish in found.values()} == {3600.0}


def test_scarce_kv_is_let_go_of_sooner() -> None:
    state = steering.state()
    pools = (PoolPrice(pool="big", usd_per_kv_token_second=1e-9),)
    state.view.take_board(PriceBoard(version=1, made_at=0.0, valid_until=1e9, pools=pools))
    found = steering.wished(state, steering.context("session_cache"))
    assert 1.0 < found["big"].value < 3600.0 == found["small"].value
