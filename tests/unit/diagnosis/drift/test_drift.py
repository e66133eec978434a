"""Each kind of drift becomes a finding with numbers, and what is alike becomes none."""

import numpy as np

from flyball.diagnosis.drift.attribution import Share
from flyball.diagnosis.drift.drift import KINDS, of_alarm, of_fingerprint, of_paths, of_shares
from flyball.diagnosis.drift.fingerprint import Fingerprint, compare
from flyball.diagnosis.drift.pathdrift import compare as compare_paths
from flyball.diagnosis.drift.streams import Alarm, standard


def test_an_alarm_names_stream_layer_and_what_moved():
    alarm = Alarm(
        evidence=2e4,
        streams=("control/kept", "inference/ttft"),
        strengths=(1e5, 5e4),
        accepted=((0.9, 0.1), (0.0,)),
        recent=((0.6, 0.4), (0.3,)),
    )
    first, second = of_alarm(alarm, standard(("p",)), 7.0, 1e4)
    assert (first.code, second.code) == ("FB-401", "FB-402")
    assert first.at == 7.0 and first.scope == "control/kept"
    assert 0.85 < first.confidence < 1.0
    assert {e.what for e in first.evidence} >= {"evidence of a change"}


def probe(shift: float, digest: str) -> Fingerprint:
    values = np.random.default_rng(3).normal(size=(10, 4)) * 0.01 + shift
    return Fingerprint(endpoint="e", digest=digest, prompts=("a", "b", "c", "d"), values=values)


def test_a_fingerprint_tells_drift_from_other_weights():
    rng = np.random.default_rng(1)
    pinned = probe(0.0, "d1")
    for now, codes in (
        (probe(0.0, "d1"), []),
        (probe(0.5, "d1"), ["FB-404"]),
        (probe(0.5, "d2"), ["FB-405"]),
        (probe(0.0, "d2"), ["FB-405"]),
    ):
        found = of_fingerprint(pinned, now, compare(pinned, now, rng), 0.0)
        assert [one.code for one in found] == codes
        assert all(one.kind == KINDS[one.code] for one in found)


def test_shares_whose_intervals_hold_zero_are_no_finding():
    unsure = Share(layer="model", change=0.1, low=-0.1, high=0.3, first_share=0.6)
    sure = Share(layer="control", change=0.2, low=0.1, high=0.3, first_share=0.97)
    assert of_shares("tool calls", (unsure,), 0.0) == []
    (found,) = of_shares("tool calls", (sure, unsure), 0.0)
    assert found.code == "FB-406" and "control" in found.summary and found.confidence == 0.97


def test_paths_that_differ_name_the_loop():
    rng = np.random.default_rng(2)
    usual, cut = ("context:whole", "ending:served"), ("context:cut", "ending:served")
    before = [{usual: 100} for _ in range(10)]
    (found,) = of_paths(compare_paths(before, [{usual: 80, cut: 20}] * 10, rng), 0.0)
    assert found.code == "FB-407" and found.loops[0] == "context"
    assert found.next_step == "flyball hold context"
    assert of_paths(compare_paths(before, before, rng), 0.0) == []
