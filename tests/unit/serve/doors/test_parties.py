"""Are callers recognised by their own keys alone, and given their own role?"""

import secrets
import time
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from flyball.authority.revocation.calls import sign_call
from flyball.authority.revocation.signer import Signer, key_text
from flyball.serve.config.oversight import EvaluatorSection
from flyball.serve.doors.parties import Caller, Parties, Refused
from support.oversight import ADA, EVE, NORTH, SOUTH, VIC, feed_of, section

AT = time.time()


def parties(folder: Path) -> Parties:
    secret = sha256(b"sesame").hexdigest().upper()
    given = section(
        folder,
        feeds=feed_of(SOUTH, "http://s"),
        evaluators={"envoy": EvaluatorSection(key_sha256=secret)},
    )
    return Parties(given, NORTH)


def said(who: Signer, method: str = "GET", target: str = "/x") -> str:
    return sign_call(who, secrets.token_hex(8), "north", method, target, b"", AT)


def test_persons_act_in_their_role(tmp_path: Path) -> None:
    found = parties(tmp_path)
    assert found.caller("stop", said(ADA), "GET", "/x", b"", AT) == Caller("ada", "admin")
    with pytest.raises(Refused, match="may not stop") as told:
        found.caller("stop", said(VIC), "GET", "/x", b"", AT)
    assert (told.value.status, told.value.caller) == (403, Caller("vic", "viewer"))
    with pytest.raises(Refused) as told:
        found.caller("read", said(EVE), "GET", "/x", b"", AT)
    assert (told.value.status, told.value.caller) == (401, None)
    assert found.role_of("ada") == "admin" and found.role_of("south") == ""


def test_a_site_may_listen_and_nothing_else(tmp_path: Path) -> None:
    found = parties(tmp_path)
    assert found.listener(said(SOUTH), "GET", "/x", AT) == Caller("south", "site")
    assert found.listener(said(VIC), "GET", "/x", AT).name == "vic"
    for act in ("read", "stop", "confirm"):
        with pytest.raises(Refused) as told:
            found.caller(act, said(SOUTH), "GET", "/x", b"", AT)  # type: ignore[arg-type]
        assert told.value.status == 403


def test_evaluators_have_a_bearer_key(tmp_path: Path) -> None:
    found = parties(tmp_path)
    assert found.evaluator("Bearer sesame") == Caller("envoy", "evaluator")
    for header in ("", "sesame", "Bearer ", "Bearer other"):
        with pytest.raises(Refused):
            found.evaluator(header)


def test_who_is_taken_off_the_file_may_nothing(tmp_path: Path) -> None:
    found = parties(tmp_path)
    found.adopt(msgspec.structs.replace(section(tmp_path), people={}))
    with pytest.raises(Refused) as told:
        found.caller("read", said(ADA), "GET", "/x", b"", AT)
    assert told.value.status == 401
    assert found.about() == {"site": "north", "key": key_text(NORTH.public)}
