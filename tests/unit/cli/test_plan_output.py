"""Does a plan's text say what the plan says, in each of its forms?"""

import json

import pytest

from flyball.cli.plan_output import ROWS_MAX, as_json, markdown, sections, text
from flyball.cli.plan_twin import Judged
from flyball.model.fleet import Site
from flyball.model.request import Promise
from flyball.pricing.placement import Asset
from flyball.pricing.placement_report import report
from support.placements import drawn, flow, placement

SITES = [
    Site(name="near", jurisdiction="EU", power_watts_max=1500.0, usd_per_kwh=0.2),
    Site(name="far", jurisdiction="US", usd_per_kwh=0.05),
]
ASSETS = [
    Asset(site_index=0, accelerator="H100-SXM", owned=1, rent_max=2, usd_per_hour=9.0),
    Asset(site_index=0, accelerator="A100-SXM-80GB", owned=3, usd_per_hour=4.2),
    Asset(site_index=1, accelerator="H100-SXM", rent_max=8, usd_per_hour=6.0),
    Asset(site_index=1, accelerator="A100-SXM-80GB", usd_per_hour=4.2),
]
FLOWS = [
    flow("chat", 2, rate=40.0, promise=Promise(ttft_s=0.5, tpot_s=0.04), rtt_s=(0.01, 0.09)),
    flow("local", 2, rate=15.0, jurisdictions=("EU",), rtt_s=(0.01, 0.09)),
]
PLAN = report(placement(FLOWS, ASSETS, SITES, z=0.0), "it", ("a guess was made",))
SHORT = report(placement([flow("chat", 2, rate=900.0)], ASSETS, SITES, z=0.0), "short")
JUDGED = [Judged(class_name="chat", origin="here", calls=1234, in_time_ratio=0.9)]


def test_the_answer_stands_first_and_in_plain_words() -> None:
    first = sections(PLAN)[0]
    assert first.title == "Plan it"
    assert first.sentences[0].startswith("All that must be served is: ")
    assert "Note: a guess was made." in first.sentences
    titles = [one.title for one in sections(PLAN)]
    assert titles == [
        "Plan it",
        "What runs where",
        "Where each class is served, and its price",
        "The price of a millisecond",
        "Power and the price of a megawatt",
        "The price of a jurisdiction rule",
        "Accelerators and their prices",
        "If things change",
    ]


def test_misplaced_and_next_accelerators_are_sentences() -> None:
    said = text(PLAN)
    assert "A100-SXM-80GB at near is priced at zero" in said and "misplaced. One moved" in said
    assert "The next accelerator earns most as H100-SXM at far: 6.00 USD/h" in said
    assert "USD per MW and hour" in said


def test_what_cannot_be_served_stands_right_after_the_answer() -> None:
    found = sections(SHORT)
    assert "NOT all can be served" in found[0].sentences[0]
    assert found[1].title == "What cannot be served"
    assert "chat from here:" in found[1].sentences[0]
    assert any("rent " in row[1] for row in found[1].rows)


def test_the_twin_is_told_if_it_was_asked() -> None:
    said = text(PLAN, JUDGED)
    assert "THE PLAN IN THE TWIN" in said
    assert "NOT every class keeps its promises for 95% of its requests" in said
    assert "1,234" in said and "90.00%" in said
    assert "TWIN" not in text(PLAN)


@pytest.mark.parametrize("plan", [PLAN, SHORT, *(report(drawn(s, 5, 3, 4, 4)) for s in range(3))])
def test_tables_are_tables_in_both_forms(plan: object) -> None:
    for one in sections(plan):  # type: ignore[arg-type]
        assert all(len(row) == len(one.heads) for row in one.rows)
    page = markdown(plan)  # type: ignore[arg-type]
    assert page.startswith("# Plan")
    for block in page.split("\n\n"):
        bars = {line.count("|") for line in block.splitlines() if line.startswith("|")}
        assert len(bars) <= 1
    assert max(len(line) for line in text(plan).splitlines()) < 200  # type: ignore[arg-type]


def test_json_holds_every_figure() -> None:
    page = json.loads(as_json(PLAN, JUDGED))
    assert page["serves_all"] is True and page["twin"][0]["calls"] == 1234
    assert page["profit_usd_per_hour"] == PLAN.profit_usd_per_hour
    assert {one["bound"] for one in page["milliseconds"]} == {"ttft", "tpot"}
    assert page["misplaced"][0]["from_site"] == "near"


def test_long_tables_are_cut_and_say_so() -> None:
    many = [flow(f"class-{n}", 2, rate=0.1) for n in range(ROWS_MAX + 5)]
    plan = report(placement(many, ASSETS, SITES, z=0.0))
    assert "more (all in `-o json`)" in text(plan)
    assert "more (all in `-o json`)" in markdown(plan)
