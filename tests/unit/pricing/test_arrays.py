"""Are problems read faithfully, and malformed ones refused by name?"""

import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from flyball.pricing.arrays import Uses, read, read_uses
from flyball.pricing.problem import Activity, Problem
from support.problems import problem_of

PROBLEM = problem_of(3, classes=4, pools=3, load=0.5)


def test_each_column_is_the_field() -> None:
    uses = read_uses(PROBLEM.activities)
    for name in (
        "class_index",
        "pool_index",
        "budget_index",
        "value_usd",
        "usd",
        "gpu_s",
        "joules",
    ):
        assert getattr(uses, name).tolist() == [getattr(a, name) for a in PROBLEM.activities]


def test_worth_is_value_less_money_and_energy() -> None:
    arrays = read(PROBLEM)
    for place, a in enumerate(PROBLEM.activities):
        site = PROBLEM.pools[a.pool_index].site_index
        energy = a.joules * PROBLEM.site_usd_per_joule[site]
        assert arrays.worth_usd[place] == pytest.approx(a.value_usd - a.usd - energy)
        assert arrays.site_index[place] == site


def test_without_sites_energy_is_free_and_unlimited() -> None:
    bare = msgspec.structs.replace(PROBLEM, site_names=(), site_watts_max=(), site_usd_per_joule=())
    arrays = read(bare)
    assert set(arrays.site_index.tolist()) == {-1}
    assert np.allclose(arrays.worth_usd, arrays.uses.value_usd - arrays.uses.usd)


def with_activity(**fields: Any) -> Problem:
    first = msgspec.structs.replace(PROBLEM.activities[0], **fields)
    return msgspec.structs.replace(PROBLEM, activities=(first, *PROBLEM.activities[1:]))


def with_pool(**fields: Any) -> Problem:
    first = msgspec.structs.replace(PROBLEM.pools[0], **fields)
    return msgspec.structs.replace(PROBLEM, pools=(first, *PROBLEM.pools[1:]))


@pytest.mark.parametrize(
    ("problem", "named"),
    [
        (with_activity(class_index=4), "class_index"),
        (with_activity(pool_index=-1), "pool_index"),
        (with_activity(budget_index=2), "budget_index"),
        (with_activity(gpu_s=-1.0), "gpu_s"),
        (with_activity(kv_token_s=float("nan")), "kv_token_s"),
        (with_activity(value_usd=float("inf")), "value_usd"),
        (with_pool(site_index=2), "site_index"),
        (with_pool(gpu_s_max=float("inf")), "gpu_s_max"),
        (with_pool(kv_tokens_max=float("nan")), "kv_tokens_max"),
        (with_pool(congestion_usd_per_gpu_s=-1.0), "congestion_usd_per_gpu_s"),
        (msgspec.structs.replace(PROBLEM, demand_per_s=(1.0,)), "demand_per_s"),
        (msgspec.structs.replace(PROBLEM, demand_per_s=(-1.0,) * 4), "demand_per_s"),
        (msgspec.structs.replace(PROBLEM, site_names=("edge",)), "site_names"),
        (msgspec.structs.replace(PROBLEM, budget_names=()), "budget_names"),
    ],
)
def test_malformed_problems_are_refused_by_the_field(problem: Problem, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        read(problem)


def test_no_activities_at_all() -> None:
    assert read_uses(()).gpu_s.shape == (0,)
    assert isinstance(PROBLEM.activities[0], Activity)


def test_the_tuple_read_last_is_read_once_whichever_thread_did() -> None:
    problem = problem_of(5, classes=3, pools=2, load=0.5)
    found: list[Uses] = []
    thread = threading.Thread(target=lambda: found.append(read(problem).uses))
    thread.start()
    thread.join()
    assert read(problem).uses is found[0]
    other_demand = msgspec.structs.replace(problem, made_at=9.0)
    assert read(other_demand).uses is found[0]
    equal = msgspec.structs.replace(problem, activities=(*problem.activities,))
    assert read(equal).uses is not found[0], "only the same tuple is known to be the same"


def test_a_kept_reading_cannot_be_changed_by_who_reads_it() -> None:
    uses = read_uses(PROBLEM.activities)
    for name in Uses.__slots__:
        with pytest.raises(ValueError, match="read-only"):
            getattr(uses, name)[0] = 1
