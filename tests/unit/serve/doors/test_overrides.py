"""Does an override do what it says to a loop or an endpoint, and nothing where it means nothing?"""

from typing import Any

import pytest

from flyball.authority.revocation.roles import OrderError
from flyball.governor.events import EndpointDraining
from flyball.serve.doors.overrides import Override, Overrides
from support.oversight import Around


def order(scope: str, to: Any, **more: Any) -> Override:
    return Override(**{"id": "1", "scope": scope, "to": to, "reason": "why", **more})


def overrides(around: Around) -> Overrides:
    return Overrides(around.all.act, around.all.endpoints, around.all.tell, around.all.now)


@pytest.mark.parametrize(
    ("given", "act", "loop", "mode", "for_s"),
    [
        (order("loop:power", "hold", for_s=60.0), "hold", "power", None, 60.0),
        (order("loop:all", "hold"), "hold", "", None, None),
        (order("loop:power", "release"), "release", "power", None, None),
        (order("loop:power", "observe"), "mode", "power", "observe", None),
        (order("loop:power", "configured"), "mode", "power", None, None),
    ],
)
def test_loops(given: Override, act: str, loop: str, mode: str | None, for_s: float | None) -> None:
    around = Around()
    overrides(around).carry_out(given, "ada")
    done = around.acts[0]
    assert (done.act, done.loop, done.mode, done.for_s) == (act, loop, mode, for_s)
    assert (done.who, done.reason) == ("ada", "why")


def test_endpoints() -> None:
    around = Around()
    for to in ("drained", "in-service"):
        overrides(around).carry_out(order("endpoint:p-1", to), "ada")
    drained, back = around.events
    assert isinstance(drained, EndpointDraining) and isinstance(back, EndpointDraining)
    assert (drained.endpoint, drained.draining, back.draining) == (1, True, False)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (order("loop:power", "drained"), 400),
        (order("endpoint:p-1", "hold"), 400),
        (order("pool:p", "hold"), 400),
        (order("loop:", "hold"), 400),
        (order("loop:all", "observe"), 400),
        (order("endpoint:p-9", "drained"), 404),
        (order("loop:nothing", "hold"), 404),
        (order("loop:power", "hold", reason=""), 400),
        (order("loop:power", "hold", for_s=0.0), 400),
        (order("loop:power", "hold", for_s=1e9), 400),
    ],
)
def test_what_means_nothing_is_refused(given: Override, status: int) -> None:
    around = Around()
    with pytest.raises(OrderError) as told:
        overrides(around).carry_out(given, "ada")
    assert told.value.status == status and not around.events
