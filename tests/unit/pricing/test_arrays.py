"""Are problems read faithfully, and malformed ones refused by name?"""

import threading
from typing import Any

import msgspec
import numpy as np
import pytest

from flyball.pricing.arrays import Uses, pack, read, read_uses
from flyball.pricing.problem import Activity, Problem
from support.problems import problem_of, rich_problem_of

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


def packed(problem: Problem) -> Problem:
    """The same with its activities as columns."""
    uses = read_uses(problem.activities)
    fields = {name: getattr(uses, name) for name in Uses.__slots__}
    return msgspec.structs.replace(problem, activities=pack(**fields))


def test_columns_read_as_the_structs_they_stand_for() -> None:
    problem = rich_problem_of(7, classes=4, pools=3, load=0.8)
    as_columns = packed(problem)
    assert len(as_columns.activities) == len(problem.activities)
    one, other = read(problem), read(as_columns)
    for name in Uses.__slots__:
        assert getattr(one.uses, name).tolist() == getattr(other.uses, name).tolist()
    assert one.worth_usd.tolist() == other.worth_usd.tolist()
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(as_columns), type=Problem)
    assert again == as_columns, "columns travel as any other data"


def test_columns_of_unlike_lengths_or_unknown_names_are_refused() -> None:
    two, three = np.zeros(2), np.zeros(3)
    index = np.zeros(2, np.intp)
    fields: dict[str, Any] = {"class_index": index, "pool_index": index, "gpu_s": two}
    with pytest.raises(ValueError, match="value_usd"):
        pack(value_usd=three, **fields)
    with pytest.raises(ValueError, match="colour"):
        pack(value_usd=two, colour=two, **fields)
    whole = pack(value_usd=two, **fields)
    with pytest.raises(ValueError, match="length"):
        read_uses(msgspec.structs.replace(whole, joules=b""))


def test_the_reserve_raises_what_scarce_things_are_used_and_nothing_else() -> None:
    problem = rich_problem_of(3, classes=3, pools=2, load=0.5)
    pools = tuple(msgspec.structs.replace(p, pooling=0.5) for p in problem.pools)
    certain = msgspec.structs.replace(problem, pools=pools, risk_z=0.0)
    mean = np.array(certain.demand_per_s)
    risky = msgspec.structs.replace(
        certain, risk_z=2.0, demand_sd_per_s=tuple((0.3 * mean).tolist())
    )
    before, after = read(certain), read(risky)
    served = mean[before.uses.class_index] > 0
    for name in ("gpu_s", "kv_token_s", "joules", "link_bytes"):
        ratio = 1.0 + 2.0 * 0.5 * 0.3 * served
        assert np.allclose(getattr(after.uses, name), getattr(before.uses, name) * ratio)
    assert after.uses.usd.tolist() == before.uses.usd.tolist()
    assert after.worth_usd.tolist() == before.worth_usd.tolist()


RICH = rich_problem_of(3, classes=4, pools=3, load=0.5)


def with_supply(**fields: Any) -> Problem:
    first = msgspec.structs.replace(RICH.supplies[0], **fields)
    return msgspec.structs.replace(RICH, supplies=(first, *RICH.supplies[1:]))


@pytest.mark.parametrize(
    ("problem", "named"),
    [
        (with_supply(pool_index=3), "pool_index of a supply"),
        (with_supply(group_index=2), "group_index of a supply"),
        (with_supply(replicas_max=float("inf")), "replicas_max"),
        (with_supply(gpu_s=-1.0), "gpu_s of a supply"),
        (with_supply(watts=float("nan")), "watts|usd_per_s"),
        (msgspec.structs.replace(RICH, link_names=()), "link_names"),
        (msgspec.structs.replace(RICH, group_names=("a",)), "group_names"),
        (msgspec.structs.replace(RICH, link_bytes_per_s_max=(-1.0, 1.0)), "link_bytes_per_s_max"),
        (msgspec.structs.replace(RICH, demand_sd_per_s=(1.0,)), "demand_sd_per_s"),
        (
            msgspec.structs.replace(RICH, risk_z=1.0, demand_sd_per_s=(-1.0,) * 4),
            "demand_sd_per_s",
        ),
        (msgspec.structs.replace(RICH, risk_z=-1.0), "risk_z"),
    ],
)
def test_malformed_supplies_and_risks_are_refused_by_the_field(
    problem: Problem, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        read(problem)
