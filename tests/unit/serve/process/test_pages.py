"""Do the gateway's own pages say what is so, and mark what is not known?"""

import json

import pytest

from flyball.model.fleet import Endpoint, Fleet, Pool, Site
from flyball.model.prices import NO_BOARD, PoolPrice, PriceBoard
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.model.signals import EngineSample, PeerLoad
from flyball.serve.process.pages import (
    Condition,
    Reading,
    findings_page,
    fleet_page,
    prices_page,
    readiness,
)
from support.watched import Watched, looks

PROFILE = Profile(
    name="p",
    accelerator="a",
    model="m",
    decode=StepCost(0.01, 0.0, 0.0),
    mixed=StepCost(0.01, 0.0, 0.0),
    limits=EngineLimits(8, 512, 10_000),
    power=PowerCurve(10.0, 20.0),
)
FLEET = Fleet(
    sites=(Site(name="s", jurisdiction="NO"),),
    pools=(Pool(name="p", site="s", models=("m",), engine="vllm", profile=PROFILE),),
    endpoints=tuple(
        Endpoint(name=f"e{i}", pool="p", url=f"http://h:{i}", metrics_url="u" if i else "")
        for i in range(4)
    ),
)


@pytest.mark.parametrize(
    ("condition", "status", "word"),
    [
        (Condition(), 200, ""),
        (Condition(draining=True), 503, "draining"),
        (Condition(ledger="no space"), 503, "no space"),
        (Condition(ledger="no space", is_ledger_needed=False), 200, ""),
    ],
)
def test_readiness(condition: Condition, status: int, word: str) -> None:
    found, body = readiness(condition)
    page = json.loads(body)
    assert found == status and page["ready"] == (status == 200) and word in page["reason"]


def test_prices_carry_age_and_validity() -> None:
    board = PriceBoard(
        version=3, made_at=100.0, valid_until=130.0, pools=(PoolPrice(pool="p", load=0.5),)
    )
    page = json.loads(prices_page(board, 112.5, "enforce"))
    assert (page["age_s"], page["valid"], page["board"]["version"]) == (12.5, True, 3)
    assert page["board"]["pools"][0]["load"] == 0.5
    assert json.loads(prices_page(board, 131.0, "enforce"))["valid"] is False
    none = json.loads(prices_page(NO_BOARD, 1.0, "observe"))
    assert none["age_s"] is None and none["valid"] is False and none["mode"] == "observe"


def test_the_fleet_marks_stale_and_absent_signals() -> None:
    sample = EngineSample(running=3, waiting=1)
    readings = {
        1: Reading(sample=sample, at=9.9),
        2: Reading(sample=sample, at=5.0, error="no answer within 1 s"),
    }
    load = PeerLoad(endpoint=1, running=2, pending=1, pending_prefill_tokens=7.0, kv_tokens=9.0)
    page = json.loads(fleet_page(FLEET, readings, [load], 10.0, 0.25))
    unscraped, fresh, stale, never = page["endpoints"]
    assert unscraped["signal"] == "absent" and unscraped["sample"] is None
    assert fresh["signal"] == "fresh" and fresh["in_flight"]["running"] == 2
    assert stale["signal"] == "stale" and stale["sample"]["running"] == 3
    assert stale["signal_age_s"] == 5.0 and "no answer" in stale["error"]
    assert never["signal"] == "stale" and never["signal_age_s"] is None
    assert fresh["site"] == "s" and fresh["pool"] == "p"


def test_findings_are_told_gravest_first_with_what_was_not_seen() -> None:
    play = Watched()
    play.rates = {"chat": 5000.0}
    seen = looks(play.ticks(100))[-1]
    told = json.loads(findings_page(seen, seen.at + 3.0, "advise"))
    assert (told["mode"], told["age_s"], told["held"]) == ("advise", 3.0, {})
    (first,) = told["findings"]
    assert (first["code"], first["level"], first["loops"]) == ("FB-509", "error", ["retry"])
    assert told["margins"][0]["of"] in ("big", "small") and told["missing"]
    assert json.loads(findings_page(None, 1.0, "off"))["age_s"] is None
