"""Is a call bounded, its refusal told with who said it, and no secret carried elsewhere?"""

import asyncio

import pytest

from flyball.serve.actuate.fault import ActuatorFault
from flyball.serve.actuate.web import SAID_CHARS_MAX, call
from support.listener import listening


def said(status: int, body: bytes = b"") -> ActuatorFault | bytes:
    with listening(lambda heard: (status, body)) as server:
        try:
            return asyncio.run(call("POST", server.url))
        except ActuatorFault as fault:
            return fault


def test_a_good_answer_is_its_body() -> None:
    assert said(200, b"done") == b"done"


@pytest.mark.parametrize(("status", "is_final"), [(503, False), (429, False), (403, True)])
def test_a_refusal_says_who_and_why_and_whether_to_try_again(status: int, is_final: bool) -> None:
    fault = said(status, b"because" * 100)
    assert isinstance(fault, ActuatorFault)
    assert str(status) in str(fault) and "because" in str(fault)
    assert len(str(fault)) < SAID_CHARS_MAX + 100
    assert fault.is_final == is_final


def test_a_redirect_is_not_followed() -> None:
    assert isinstance(said(302), ActuatorFault)


def test_who_does_not_answer_is_given_up() -> None:
    async def silent() -> str:
        server = await asyncio.start_server(lambda r, w: asyncio.sleep(60), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            await call("GET", url, timeout_s=0.2)
        except ActuatorFault as fault:
            return str(fault)
        finally:
            server.close()
        return ""

    assert "no answer within 0.2 s" in asyncio.run(silent())


def test_nobody_there_and_no_such_ca_are_faults() -> None:
    for url, authority in (("http://127.0.0.1:9", ""), ("https://127.0.0.1:9", "/nowhere.pem")):
        with pytest.raises(ActuatorFault):
            asyncio.run(call("GET", url, authority=authority))
