"""Do metrics and alert rules hold what was found, and do the rules fire when they should?"""

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from flyball.cli.diagnose_output import Report
from flyball.cli.diagnose_rules import FINDING, LEAD, as_metrics, as_rules
from flyball.diagnosis.codes.codes import CODES, finding
from flyball.diagnosis.finding import Evidence, Finding
from flyball.diagnosis.suppress import Judged
from support.loops import graph, loop

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(not PROMTOOL, reason="Debian's prometheus is not installed")


def found(confidence: float = 0.9, lead_s: float | None = 600.0) -> Finding:
    made = finding(
        "FB-101", at=1.8e9, loops=('a"', "b\\"), actuators=("u",), scope="east\n",
        confidence=confidence, evidence=(Evidence(what="loops", value=2.0),), summary="x",
    )  # fmt: skip
    return msgspec.structs.replace(made, lead_s=lead_s)


def page(*kept: Finding) -> str:
    judged = Judged(kept=kept, aside=(), expired=(), idle=())
    return as_metrics(Report(graph=graph(loop("a")), judged=judged)) + "\n"


def samples(text: str, name: str) -> list:
    families = text_string_to_metric_families(text)
    return [one for family in families for one in family.samples if one.name == name]


def test_a_finding_is_a_series_with_its_labels_escaped() -> None:
    (one,) = samples(page(found()), FINDING)
    assert one.value == 0.9 and one.labels["code"] == "FB-101"
    assert (one.labels["loops"], one.labels["scope"]) == ('a",b\\', "east\n")


def test_equal_labels_are_one_series_the_surest_and_the_soonest() -> None:
    text = page(found(0.8, 900.0), found(0.9, 600.0))
    assert [one.value for one in samples(text, FINDING)] == [0.9]
    assert [one.value for one in samples(text, LEAD)] == [600.0]


def test_nothing_found_is_zeros_and_no_lead() -> None:
    text = page()
    assert {one.value for one in samples(text, "flyball_diagnosis_findings")} == {0.0}
    assert not samples(text, LEAD)


def test_there_is_a_rule_per_code_that_may_wake_somebody() -> None:
    rules = YAML(typ="safe").load(as_rules())["groups"][0]["rules"]
    grave = [one for one in CODES.values() if one.level != "note"]
    assert len(rules) == len(grave) + 2
    assert len({one["alert"] for one in rules}) == len(rules)


@needs_promtool
def test_metrics_and_rules_are_accepted_by_promtool(tmp_path: Path) -> None:
    assert PROMTOOL
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=page(found()), text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    (tmp_path / "rules.yml").write_text(as_rules())
    done = subprocess.run([PROMTOOL, "check", "rules", str(tmp_path / "rules.yml")])
    assert done.returncode == 0


UNIT = """\
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: '{finding}{{code="FB-101",kind="direct",level="error",loops="a,b",scope="x"}}'
        values: '0.9x10 _x20'
      - series: '{finding}{{code="FB-101",kind="direct",level="error",loops="c",scope="x"}}'
        values: '0.5x30'
      - series: '{lead}{{code="FB-501",kind="gain margin",level="warning",loops="r",scope=""}}'
        values: '7200x10 1800x20'
      - series: 'flyball_diagnosis_timestamp_seconds'
        values: '0x120'
    alert_rule_test:
      - eval_time: 1m
        alertname: {alert}
      - eval_time: 5m
        alertname: {alert}
        exp_alerts:
          - exp_labels: {{severity: error, code: FB-101, level: error, loops: "a,b", scope: x}}
            exp_annotations: {{summary: "{title} (a,b x)", description: "{harm}"}}
      - eval_time: 25m
        alertname: {alert}
      - eval_time: 10m
        alertname: FlyballHarmSoon
      - eval_time: 20m
        alertname: FlyballHarmSoon
        exp_alerts:
          - exp_labels: {{severity: error, code: FB-501, loops: r}}
            exp_annotations:
              summary: Users will be harmed within the hour (FB-501 r)
              description: See `flyball diagnose`; `flyball hold` freezes a loop's set-points.
      - eval_time: 20m
        alertname: FlyballDiagnosisStale
      - eval_time: 60m
        alertname: FlyballDiagnosisStale
        exp_alerts:
          - exp_labels: {{severity: warning}}
            exp_annotations:
              summary: The diagnosis has seen nothing new for half an hour
              description: Is `flyball diagnose` still run, and its page still collected?
"""


@needs_promtool
def test_the_rules_fire_and_rest_when_they_should(tmp_path: Path) -> None:
    assert PROMTOOL
    known = CODES["FB-101"]
    rules = YAML(typ="safe").load(as_rules())["groups"][0]["rules"]
    (tmp_path / "rules.yml").write_text(as_rules())
    text = UNIT.format(
        finding=FINDING,
        lead=LEAD,
        alert=next(one["alert"] for one in rules if "FB101" in one["alert"]),
        title=known.title,
        harm=f"{known.harm} First: {known.steps[0]}",
    )
    (tmp_path / "test.yml").write_text(text)
    words = [PROMTOOL, "test", "rules", str(tmp_path / "test.yml")]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
