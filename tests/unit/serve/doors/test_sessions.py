"""Does a provider's token end sessions here, answered as RFC 8935 and OIDC want it?"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt import algorithms

from flyball.authority.revocation.setevents import LOGOUT, SESSION_REVOKED
from flyball.governor.events import Revoked
from flyball.model.acts import AdminCall
from flyball.serve.config.oversight import IssuerSection
from flyball.serve.doors.door import Door
from flyball.serve.doors.fault import DoorFault
from flyball.serve.doors.sessions import LOGOUT as LOGOUT_PATH
from flyball.serve.doors.sessions import SETS, Sessions
from support.oversight import Around, plain, section

ISS = "https://idp.example"
KEY = Ed25519PrivateKey.generate()
SET_TYPE, FORM = "application/secevent+jwt", "application/x-www-form-urlencoded"


def issuers(folder: Path) -> tuple[IssuerSection, ...]:
    shown = algorithms.OKPAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    keys = folder / "idp.json"
    keys.write_text(json.dumps({"keys": [{**shown, "kid": "k", "alg": "EdDSA"}]}))
    return (IssuerSection(issuer=ISS, audience="flyball", keys=str(keys)),)


def token(typ: str, **claims: Any) -> bytes:
    given = {"iss": ISS, "aud": "flyball", "iat": int(time.time()), "jti": "j", **claims}
    return jwt.encode(given, KEY, "EdDSA", headers={"kid": "k", "typ": typ}).encode()


SUBJECT = {"format": "iss_sub", "iss": ISS, "sub": "u1"}


def revoked() -> bytes:
    return token("secevent+jwt", sub_id=SUBJECT, events={SESSION_REVOKED: {}})


def logout() -> bytes:
    exp = int(time.time()) + 60
    said = token("logout+jwt", sid="s1", exp=exp, events={LOGOUT: {}}, jti="l")
    return b"logout_token=" + said


def test_sessions_end_once_however_often_it_is_said(tmp_path: Path) -> None:
    async def run() -> None:
        around = Around()
        door = Door(section(tmp_path, issuers=issuers(tmp_path)), around.all)
        door.start()
        url = f"http://127.0.0.1:{door.port}"
        for _ in range(2):
            assert (await plain(url, "POST", SETS, revoked(), content_type=SET_TYPE))[0] == 202
            assert (await plain(url, "POST", LOGOUT_PATH, logout(), content_type=FORM))[0] == 200
        await door.stop()
        told = [one.subjects for one in around.events if isinstance(one, Revoked)]
        assert told == [(f"human:{ISS}|u1",), (f"session:{ISS}|s1",)]
        calls = [one for one in around.records if isinstance(one, AdminCall)]
        assert [one.by for one in calls] == [f"issuer {ISS}"] * 4

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "body", "kind", "answer"),
    [
        (SETS, revoked()[:-8] + b"AAAAAAAA", SET_TYPE, ("err", "invalid_key")),
        (SETS, revoked(), "text/plain", ("err", "invalid_request")),
        (SETS, b"", SET_TYPE, ("err", "invalid_request")),
        (LOGOUT_PATH, b"logout_token=x", FORM, ("error", "invalid_request")),
        (LOGOUT_PATH, logout() + b"&" + logout(), FORM, ("error", "invalid_request")),
        (LOGOUT_PATH, b"", FORM, ("error", "invalid_request")),
    ],
)
def test_other_tokens_are_refused_and_end_nobody(
    tmp_path: Path, path: str, body: bytes, kind: str, answer: tuple[str, str]
) -> None:
    async def run() -> None:
        around = Around()
        door = Door(section(tmp_path, issuers=issuers(tmp_path)), around.all)
        door.start()
        url = f"http://127.0.0.1:{door.port}"
        status, said = await plain(url, "POST", path, body, content_type=kind)
        await door.stop()
        assert status == 400 and said[answer[0]] == answer[1]
        assert around.events == []
        assert all(body.decode() not in str(one) for one in around.records if body)

    asyncio.run(run())


def test_keys_that_are_not_there_or_none_are_told(tmp_path: Path) -> None:
    one = IssuerSection(issuer=ISS, audience="f", keys=str(tmp_path / "none.json"))

    async def revoke(event: object) -> None:
        raise AssertionError

    with pytest.raises(DoorFault, match="No such file"):
        Sessions((one,), revoke, time.time)
    (tmp_path / "none.json").write_text("{}")
    with pytest.raises(DoorFault, match="no JWK Set"):
        Sessions((one,), revoke, time.time)
