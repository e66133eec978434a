"""Are round trips those given, else those measured, else a fair estimate?"""

from pathlib import Path

import pytest
from pytest import approx

from flyball.cli import plan_paths
from flyball.cli.plan_shape import OriginShape, SiteShape
from flyball.serve.config.text import Document

OSLO, FRANKFURT = (59.91, 10.75), (50.11, 8.68)


def site(**fields: object) -> SiteShape:
    return SiteShape(jurisdiction="EU", **fields)  # type: ignore[arg-type]


def test_great_circles() -> None:
    assert plan_paths.distance_km(OSLO, OSLO) == 0.0
    assert plan_paths.distance_km(OSLO, FRANKFURT) == pytest.approx(1098, abs=10)
    assert plan_paths.distance_km((0, 0), (0, 180)) == pytest.approx(20_015, abs=1)


def test_what_is_given_counts_first_then_what_was_measured_then_the_distance() -> None:
    found = {("Norway East", "Germany West"): 0.027}
    origin = OriginShape(region="Norway East", at=OSLO, access_ms=2)
    whole = site(rtt_ms={"oslo": 20}, region="Germany West", at=FRANKFURT)
    assert plan_paths.rtt_s(("oslo", origin), ("f", whole), found) == (approx(0.022), "given")
    measured = site(region="Germany West", at=FRANKFURT)
    assert plan_paths.rtt_s(("oslo", origin), ("f", measured), found) == (approx(0.029), "measured")
    back = {("Germany West", "Norway East"): 0.028}
    assert plan_paths.rtt_s(("oslo", origin), ("f", measured), back) == (approx(0.030), "measured")
    guess = plan_paths.rtt_s(("oslo", origin), ("f", measured), {})
    assert guess is not None and guess[1] == "estimated"
    assert guess[0] == pytest.approx(0.002 + 1.72 * 2 * 1098 / 204_218, rel=0.02)
    same = plan_paths.rtt_s(("oslo", origin), ("f", site(region="Norway East")), {})
    assert same == (pytest.approx(0.003), "estimated")
    assert plan_paths.rtt_s(("oslo", OriginShape()), ("f", site(at=FRANKFURT)), found) is None


def test_a_matrix_is_read_and_its_faults_are_told(tmp_path: Path) -> None:
    (tmp_path / "sound.csv").write_text("src,dst,rtt_ms\nA,B,4.5\nB,A,5\n")
    document = Document(source="plan.yaml")
    found = plan_paths.matrix("sound.csv", tmp_path, document)
    assert found == {("A", "B"): 0.0045, ("B", "A"): 0.005}
    assert plan_paths.matrix("", tmp_path, document) == {} and not document.errors
    plan_paths.check_regions(found, "sites", "x", "A", document)
    assert not document.errors
    plan_paths.check_regions(found, "sites", "x", "AA", document)
    assert "Did you mean 'A'?" in str(document.errors[-1])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot read it.csv"),
        ("src,dst,rtt_ms\nA,B,fast\n", "line 2 is no src,dst,rtt_ms"),
        ("src,dst,rtt_ms\nA,B,1\nA,C,-1\n", "line 3"),
        ("from,to,ms\nA,B,1\n", "line 2"),
    ],
)
def test_a_matrix_that_cannot_be_used(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "it.csv").write_text(text)
    document = Document(source="plan.yaml")
    plan_paths.matrix("it.csv", tmp_path, document)
    assert len(document.errors) == 1 and words in str(document.errors[0])


def test_the_estimate_is_the_median_of_measured_pairs(real_data: Path) -> None:
    """1.72 is measured on Azure's regions: half of their pairs lie below the estimate."""
    import csv

    folder = real_data / "network_price_carbon"
    with (folder / "azure_region_coordinates.csv").open() as stream:
        at = {
            row["display_name"]: (float(row["lat"]), float(row["lon"]))
            for row in csv.DictReader(stream)
        }
    found = plan_paths.matrix("azure_rtt_ms.csv", folder, Document(source="plan.yaml"))
    pairs = [(at[a], at[b], rtt) for (a, b), rtt in found.items() if a in at and b in at]
    below = 0
    for start, end, rtt in pairs:
        guess = plan_paths.rtt_s(("o", OriginShape(at=start)), ("s", site(at=end)), {})
        assert guess is not None
        below += rtt < guess[0]
    assert len(pairs) > 2000
    assert 0.4 < below / len(pairs) < 0.6
