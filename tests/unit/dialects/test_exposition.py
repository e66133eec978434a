"""Are the wanted samples found on any Prometheus page, with labels and values read exactly?"""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from flyball.dialects import exposition
from flyball.dialects.exposition import Sample, read_samples

WANTED = frozenset((b"e:running", b"e:done_total"))
NASTY = 'a "quoted" } \\ back\nslash, {brace}'


def page_of_the_real_library() -> bytes:
    registry = CollectorRegistry()
    histogram = Histogram("e:running_seconds", "not wanted", ["m"], registry=registry)
    histogram.labels("x").observe(3)
    running = Gauge("e:running", "Requests.\nrunning", ["model", "rank"], registry=registry)
    running.labels(NASTY, "0").set(2)
    running.labels("b", "1").set(5)
    Counter("e:done", "Done", registry=registry).inc(7)
    Gauge("e:running_more", "another metric that starts alike", registry=registry).set(99)
    return generate_latest(registry)


def test_a_page_written_by_the_real_library() -> None:
    found = read_samples(page_of_the_real_library(), WANTED)
    assert set(found) == WANTED
    assert [sample.value for sample in found[b"e:running"]] == [2.0, 5.0]
    assert found[b"e:running"][1].label(b"rank") == b"1"
    assert found[b"e:running"][0].label(b"rank") == b"0"
    assert found[b"e:done_total"][0].value == 7.0


def test_a_page_stripped_of_its_comments_reads_the_same() -> None:
    page = page_of_the_real_library()
    bare = b"\n".join(line for line in page.split(b"\n") if not line.startswith(b"#"))
    assert read_samples(bare, WANTED) == read_samples(page, WANTED)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"e:running 3", 3.0),
        (b"e:running 3 1700000000000", 3.0),
        (b'e:running{a="x"} 3.5e2 1700000000000', 350.0),
        (b'e:running{a="x"}4', 4.0),
        (b'e:running {a="x"} 4', 4.0),
        (b'e:running{a="x } y",} 4 # {trace_id="9"} 1', 4.0),
        (b"e:running\t5", 5.0),
        (b"e:running NaN", None),
        (b"e:running +Inf", None),
        (b"e:running -1", None),
        (b"e:running", None),
        (b"e:running{", None),
        (b'e:running{a="x', None),
        (b'e:running{a="x"}', None),
        (b"e:running x", None),
    ],
)
def test_lines_of_every_kind(line: bytes, value: float | None) -> None:
    for page in (line, b"# TYPE e:running gauge\n" + line + b"\n# EOF\n"):
        (sample,) = read_samples(page, WANTED)[b"e:running"]
        assert sample.value == value


def test_a_page_without_the_metric_tells_nothing() -> None:
    for page in (
        b"",
        b"\n\n",
        b"# TYPE",
        b"# TYPE e:running",
        b"<html>502</html>",
        b"# HELP x y\n",
    ):
        assert read_samples(page, WANTED) == {}


def test_samples_are_bounded() -> None:
    page = b"e:running 1\n" * (exposition._SAMPLES_MAX + 5)
    assert len(read_samples(page, WANTED)[b"e:running"]) == exposition._SAMPLES_MAX


def samples(*values: float | None) -> list[Sample]:
    return [Sample(b"", value) for value in values]


def test_one_bad_rank_makes_the_figure_unknown() -> None:
    assert exposition.total(samples(1, 2)) == 3
    assert exposition.mean(samples(0.2, 0.4)) == pytest.approx(0.3)
    assert exposition.greatest(samples(1, 2)) == 2
    for figure in (exposition.total, exposition.mean, exposition.greatest):
        assert figure(samples(1, None)) is None
        assert figure([]) is None


def test_shares_above_one_are_not_believed() -> None:
    assert exposition.ratio(0.5) == 0.5
    assert exposition.ratio(1.005) == 1.0
    assert exposition.ratio(55.0) is None
    assert exposition.ratio(None) is None


@pytest.mark.parametrize("page", [b"", b"\t", b" \n\t \n", b"{", b" {}"])
def test_blank_lines_are_no_samples(page: bytes) -> None:
    assert read_samples(page, WANTED) == {}
