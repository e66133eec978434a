"""Do a request's choices follow the prices of budgets and links? Events in, commands expected."""

import pytest
from msgspec.structs import replace

from flyball.governor.commands import Forward, Record
from flyball.governor.events import BoardReceived, RequestArrived
from flyball.governor.governor import Governor
from flyball.governor.policy import Budget
from flyball.model.decision import Intent
from flyball.model.fleet import Fleet
from flyball.model.prices import PriceBoard
from support import fleets

BUDGETS = (Budget(name="chats", usd_per_hour=1.0, classes=("chat",)),)


def paid_fleet(link_usd_per_byte: float = 0.0) -> Fleet:
    """One pool is somebody else's, far away and paid by the token; the other is one's own."""
    fleet = fleets.fleet()
    big, small = fleet.pools
    far, near = fleet.sites
    return replace(
        fleet,
        pools=(replace(big, usd_per_million_output_tokens=0.5), small),
        sites=(replace(far, link_usd_per_byte=link_usd_per_byte), near),
    )


def priced(
    site: Fleet, klass: str = "chat", valid_until: float = 99.0, **prices: object
) -> tuple[str, dict[str, float]]:
    """(pool chosen, resource cost by candidate's pool) of one request under such a board."""
    core = Governor(site, fleets.policy(budgets=BUDGETS))
    if prices:
        made = PriceBoard(version=1, made_at=1.0, valid_until=valid_until)
        core.handle(BoardReceived(1.0, replace(made, **prices)))
    out = core.handle(RequestArrived(2.0, "r1", fleets.head(class_hint=klass), 0.5))
    assert any(isinstance(command, Forward) for command in out)
    records = [command.record for command in out if isinstance(command, Record)]
    (intent,) = [record for record in records if isinstance(record, Intent)]
    return intent.pool, {one.endpoint.split("-")[0]: one.resource_usd for one in intent.candidates}


# 200 tokens of answer at 0.5 USD per million.
MONEY = 200 * 0.5e-6


def test_money_out_of_a_short_budget_counts_more_than_its_amount() -> None:
    _, plain = priced(paid_fleet())
    pool, short = priced(paid_fleet(), budgets=(("chats", 3.0),))
    assert short["big"] - plain["big"] == pytest.approx(3.0 * MONEY)
    assert short["small"] == pytest.approx(plain["small"]), "one's own costs no money"
    assert pool == "small"


def test_a_budget_binds_its_own_classes_only() -> None:
    _, plain = priced(paid_fleet(), "batch")
    _, short = priced(paid_fleet(), "batch", budgets=(("chats", 3.0),))
    assert short == pytest.approx(plain)


def test_the_way_to_a_site_costs_its_money_and_its_shadow_price() -> None:
    _, free = priced(paid_fleet())
    _, paid = priced(paid_fleet(link_usd_per_byte=1e-8))
    sent = 375 * 4 + 200 * 250  # bytes
    assert paid["big"] - free["big"] == pytest.approx(1e-8 * sent, rel=0.01)
    _, scarce = priced(paid_fleet(link_usd_per_byte=1e-8), links=(("us-central", 4e-8),))
    assert scarce["big"] - free["big"] == pytest.approx(5e-8 * sent, rel=0.01)
    assert scarce["small"] == pytest.approx(free["small"])


def test_an_expired_board_binds_nobody() -> None:
    _, plain = priced(paid_fleet())
    _, expired = priced(paid_fleet(), valid_until=1.5, budgets=(("chats", 3.0),))
    assert expired == pytest.approx(plain)
