"""Is each of the gateway's own paths answered by the page that belongs to it?"""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from flyball.governor.objectives import Objectives
from flyball.model.prices import NO_BOARD
from flyball.serve.process.center import Center
from flyball.serve.process.pages import FINDINGS, FLEET, JSON, METRICS, PRICES, PROMETHEUS
from flyball.serve.process.routes import page
from flyball.serve.telemetry.prometheus import Telemetry
from support.configs import config

FOUND = config()
CENTER = cast(
    Center,
    SimpleNamespace(
        now=lambda: 1.0,
        telemetry=Telemetry(FOUND, env={}),
        board=NO_BOARD,
        config=FOUND,
        readings={},
        seen=None,
        objectives=Objectives(FOUND.policy.classes),
    ),
)


@pytest.mark.parametrize(
    ("path", "status", "kind", "words"),
    [
        (METRICS, 200, PROMETHEUS, b"# TYPE"),
        (PRICES, 200, JSON, b'"board"'),
        (FLEET, 200, JSON, b'"small-0"'),
        (FINDINGS, 200, JSON, b'"age_s":null'),
        ("/v1/flyball/else", 404, JSON, b"no such page"),
    ],
)
def test_each_path_has_its_page(path: str, status: int, kind: str, words: Any) -> None:
    CENTER.telemetry.ledger(True)
    found_status, found_kind, body = page(path, CENTER, [])
    assert (found_status, found_kind) == (status, kind) and words in body
