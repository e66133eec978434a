"""Are misses counted once, in their window, against the right budget?"""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.objectives import SLOTS, Objectives, Ring
from flyball.model.request import RequestClass
from flyball.model.signals import Settled

DAY = RequestClass(name="chat", objective=0.99, objective_window_s=86_400.0)
GOOD = Settled(
    at=1000.0, class_name="chat", model="m", endpoint=0, outcome="served", is_retry=False,
    prompt_bytes=9, input_tokens=9, cached_tokens=0, output_tokens=9, ttft_s=0.1, e2e_s=0.2,
    ttft_s_predicted=0.1, tpot_s_predicted=0.01, in_time=True, status=200,
)  # fmt: skip


def settled(**changes: object) -> Settled:
    return msgspec.structs.replace(GOOD, **changes)


def read(batch: list[Settled], at: float = 1001.0):
    book = Objectives([DAY])
    book.take(batch)
    return book.read(at)[0]


def test_the_budget_is_the_share_that_may_be_missed() -> None:
    contract = read([settled() for _ in range(995)] + [settled(in_time=False) for _ in range(5)])
    assert (contract.requests, contract.missed) == (1000, 5)
    assert contract.budget_left_ratio == pytest.approx(0.5)
    assert dict(contract.burn) == pytest.approx({"5m": 0.5, "1h": 0.5, "6h": 0.5})


def test_a_burn_forgets_what_its_span_does_not_reach() -> None:
    book = Objectives([DAY])
    book.take([settled(at=1000.0, in_time=False)])
    book.take([settled(at=1000.0 + 900.0) for _ in range(9)])
    burn = dict(book.read(1000.0 + 901.0)[0].burn)
    assert burn["5m"] == 0.0
    assert burn["1h"] == pytest.approx(10.0)
    assert book.read(1000.0 + 90_000.0)[0].requests == 0


@pytest.mark.parametrize(
    ("change", "is_counted"),
    [
        ({"outcome": "refused", "code": "deadline_unreachable", "status": 429}, True),
        ({"outcome": "refused", "code": "capacity_promised", "status": 429}, True),
        ({"outcome": "deadline", "code": "deadline_exceeded", "status": 504}, True),
        ({"outcome": "failed", "code": "upstream_failed", "status": 502}, True),
        ({"outcome": "served", "status": 500}, True),
        ({"outcome": "served", "status": 400}, False),
        ({"outcome": "refused", "code": "model_not_found", "status": 404}, False),
        ({"outcome": "refused", "code": "jurisdiction_refused", "status": 403}, False),
        ({"outcome": "client-gone", "status": 499}, False),
    ],
)
def test_what_is_the_fleets_own_counts(change: dict, is_counted: bool) -> None:
    contract = read([settled(in_time=False, **change)])
    assert (contract.requests, contract.missed) == (is_counted, is_counted)


def test_guarantees_kept_and_broken() -> None:
    contract = read(
        [
            settled(guaranteed=True),
            settled(guaranteed=True, penalty_usd=0.05, in_time=False),
            settled(guaranteed=True, outcome="client-gone", in_time=False),
        ]
    )
    assert (contract.kept, contract.broken, contract.penalty_usd) == (1, 1, 0.05)


def test_a_reload_keeps_the_counts_of_contracts_that_stay() -> None:
    book = Objectives([DAY])
    book.take([settled()])
    book.adopt([DAY, RequestClass(name="new")])
    assert [one.requests for one in book.read(1001.0)] == [1, 0]
    book.adopt([msgspec.structs.replace(DAY, objective=0.5)])
    assert [one.requests for one in book.read(1001.0)] == [0]


@given(
    st.lists(st.tuples(st.floats(0, 30_000), st.booleans()), max_size=200),
    st.floats(30, 10_000),
)
def test_a_ring_sums_what_fell_into_its_span(calls: list, span_s: float) -> None:
    ring = Ring(30.0)
    calls = sorted(calls)
    for at, is_missed in calls:
        ring.add(at, is_missed)
    now = 30_000.0
    parts = min(SLOTS, max(1, round(span_s / 30.0)))
    first = int(now / 30.0) - parts + 1
    inside = [is_missed for at, is_missed in calls if int(at / 30.0) >= first]
    assert ring.sums(now, span_s) == (len(inside), sum(inside))
