"""Which rule keeps an endpoint out, and does a request only ever narrow what policy allows?"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.flight import ANYONE
from flyball.governor.scope import build_scope, residency
from flyball.governor.view import FleetView
from flyball.model.request import Principal, RequestClass
from support import fleets

PLACES = st.lists(st.sampled_from(["EU", "US", "NO"]), unique=True).map(tuple)


def scope(model: str = "m", operation: str = "chat", klass: RequestClass = fleets.CHAT, hint=""):
    view = FleetView(fleets.fleet(), fleets.policy())
    made = build_scope("s", view, fleets.policy(), ANYONE, klass, model, operation, hint)
    return view, made


def test_each_endpoint_left_out_has_its_rule() -> None:
    assert scope(model="tiny")[1].reasons[0] == "model: not served"
    assert scope(operation="message")[1].reasons[0] == "surface: does not speak anthropic"
    assert scope(klass=fleets.EU_ONLY)[1].reasons == ["residency: US is not allowed"] * 2 + [""] * 2


def test_health_joins_policy_and_is_told_apart() -> None:
    view, made = scope()
    view.endpoints[1].draining = True
    assert view.set_blocked(1.0, 1)
    assert np.isinf(made.closed(view)).tolist() == [False, True, False, False]
    record = made.feasibility(1.0, view)
    assert record.refused == (("big-1", "health: draining"),)
    assert record.allowed == ("big-0", "small-0", "small-1")


@given(principal=PLACES, klass=PLACES, hint=PLACES)
def test_a_hint_can_only_narrow(principal: tuple, klass: tuple, hint: tuple) -> None:
    who = Principal(name="p", key_sha256="", jurisdictions=principal)
    what = RequestClass(name="c", jurisdictions=klass)
    wide = residency(who, what, "")
    narrow = residency(who, what, ",".join(hint))
    if hint:
        assert narrow is not None and narrow <= set(hint)
    if wide is not None:
        assert narrow is not None and narrow <= wide
