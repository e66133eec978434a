"""Are logs in each other's folders, and of places that no site is in, found in the fleet file?"""

from pathlib import Path

import pytest

from flyball.serve.config.errors import ConfigErrors
from flyball.serve.config.load import read

FLEET = """\
version: v1
sites: {s: {jurisdiction: EU}, t: {jurisdiction: US}}
pools:
  p: {site: s, engine: vllm, profile: h100/llama-3.1-8b, models: [m], endpoints: ["http://a:1"]}
ledger:
  folder: logs/own
  mirror: s3://bucket/own
  jurisdictions:
"""


def load(*lines: str):
    text = FLEET + "".join(f"    {line}\n" for line in lines)
    return read(text, "fleet.yaml", {}, Path("/srv"))


def test_paths_are_taken_from_the_fleet_file() -> None:
    found = load("EU: {folder: logs/eu, keys: [eu.key], trust: t.policy}", "US: {folder: /us}")
    places = found.ledger.jurisdictions
    assert places["EU"].folder == "/srv/logs/eu" and places["US"].folder == "/us"
    assert (places["EU"].keys, places["EU"].trust) == (("/srv/eu.key",), "/srv/t.policy")
    assert found.ledger.mirror == "s3://bucket/own"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("EU: {folder: logs/own}", "ledger.folder is logs/own already"),
        ("EU: {folder: logs/own/eu}", "ledger.folder is logs/own already"),
        ("EU: {folder: logs}", "ledger.folder is logs/own already"),
        ("MARS: {folder: logs/mars}", "no site has the jurisdiction 'MARS'"),
        ("EU: {}", "folder"),
    ],
)
def test_mistakes_are_named(line: str, cause: str) -> None:
    with pytest.raises(ConfigErrors) as told:
        load(line)
    assert cause in str(told.value)
