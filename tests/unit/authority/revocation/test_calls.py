"""Is a call believed only from whom, for what and where it was signed, and only once?"""

import pytest

from flyball.authority.revocation.calls import AGE_S_MAX, CallError, Calls, sign_call
from support.oversight import ADA, EVE, signer

AT = 1_763_700_000.0
KEYS = {"ada": ADA.public}


def said(**changed: object) -> str:
    given: dict[str, object] = {
        "signer": ADA, "call_id": "1", "site": "north", "method": "POST", "target": "/x",
        "body": b"{}", "at": AT, **changed,
    }  # fmt: skip
    return sign_call(**given)  # type: ignore[arg-type]


def test_the_caller_is_told() -> None:
    assert Calls("north", KEYS).caller(said(), "POST", "/x", b"{}", AT + 5) == "ada"


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (said(site="south"), "for site 'south'"),
        (said(method="GET"), "another call"),
        (said(target="/y"), "another call"),
        (said(body=b"[]"), "another call"),
        (said(at=AT - AGE_S_MAX - 1), "s ago"),
        (said(at=AT + AGE_S_MAX + 1), "s ago"),
        (said(signer=EVE), "nobody of that name"),
        (said(signer=signer("ada", 99)), "signed as ada"),
        (said()[:-2], "signed as ada"),
        (said().replace("Flyball ", "Bearer "), "authorization is needed"),
        ("Flyball e30.AA", "holds no call"),
        ("Flyball !!.AA", "not base64url"),
        ("Flyball " + "A" * 5000 + ".A", "authorization is needed"),
        ("", "authorization is needed"),
    ],
)
def test_any_other_call_is_refused(header: str, why: str) -> None:
    with pytest.raises(CallError, match=why):
        Calls("north", KEYS).caller(header, "POST", "/x", b"{}", AT)


def test_a_call_that_is_heard_again_is_refused_and_who_left_is_not_known() -> None:
    calls = Calls("north", KEYS)
    calls.caller(said(), "POST", "/x", b"{}", AT)
    with pytest.raises(CallError, match="made before"):
        calls.caller(said(), "POST", "/x", b"{}", AT + 1)
    calls.adopt({})
    with pytest.raises(CallError, match="nobody"):
        calls.caller(said(call_id="2"), "POST", "/x", b"{}", AT)
