"""Is a key that is a token verified once, kept, and refused in the client's own terms?"""

from typing import Any

import pytest
from msgspec.structs import replace

from flyball.authority.mandates.holder import holder_of, seen_proofs
from flyball.authority.mandates.refusals import MandateError
from flyball.dialects.surface import read_head
from flyball.model.faults import Refusal
from flyball.model.request import RequestHead
from flyball.serve.relay.heads import Fields, Request
from flyball.serve.relay.tokens import REFUSED_S, TokenDesk, refusal_of
from support.authority import mandate
from support.mandates import LOOSE, T, granted, verifier
from support.relay import CHAT_BODY


class Counting:
    """A verifier of two tokens, that counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def verify(self, token: str, at: float, holder: str = "") -> Any:
        self.asked.append((token, holder))
        if token == "sk-fly-good":
            return replace(mandate(), is_held=bool(holder))
        code = "mandate_check_busy" if token == "sk-fly-busy" else "mandate_forged"
        raise MandateError(code, "said why")


def shown(proof: str, method: str, url: str, token: str, at: float) -> str:
    if proof == "bad":
        raise MandateError("proof_forged", "not yours")
    return f"{proof}|{method}|{url}|{token}"


def asked(*fields: tuple[bytes, bytes]) -> tuple[RequestHead, Request]:
    request = Request(b"POST", b"/v1/chat/completions", False)
    request.fields = [(b"host", b"api.example"), *fields]
    request.body = CHAT_BODY
    head = read_head(request.method, request.target, request.fields, request.body)
    assert isinstance(head, RequestHead)
    return head, request


def bearer(key: bytes) -> tuple[bytes, bytes]:
    return b"authorization", b"Bearer " + key


@pytest.fixture
def counting() -> Counting:
    return Counting()


@pytest.fixture
def desk(counting: Counting) -> TokenDesk:
    return TokenDesk(counting, shown, public_url="http://", refusals=MandateError)


def test_a_token_is_verified_once(desk: TokenDesk, counting: Counting) -> None:
    for field in (bearer(b"sk-fly-good"), (b"x-api-key", b"sk-fly-good")):
        for at in (1.0, 2.0):
            head, request = asked(field)
            assert desk.look(head, request, at) is None
            assert head.mandate == mandate()
    assert counting.asked == [("sk-fly-good", "")]


@pytest.mark.parametrize("fields", [[], [bearer(b"sk-plain")], [(b"api-key", b"fly-sk-")]])
def test_other_keys_pass_untouched(desk: TokenDesk, counting: Counting, fields: Fields) -> None:
    head, request = asked(*fields)
    assert desk.look(head, request, 1.0) is None
    assert head.mandate is None and not counting.asked


def test_a_token_refused_is_not_verified_again_for_a_while(
    desk: TokenDesk, counting: Counting
) -> None:
    for at in (1.0, 2.0, 2.0 + REFUSED_S):
        head, request = asked(bearer(b"sk-fly-forged"))
        refusal = desk.look(head, request, at)
        assert refusal is not None and refusal.code == "mandate_invalid"
        assert refusal.detail == "mandate_forged: said why"
    assert len(counting.asked) == 2


def test_what_could_not_be_finished_is_tried_again(desk: TokenDesk, counting: Counting) -> None:
    for _ in range(2):
        head, request = asked(bearer(b"sk-fly-busy"))
        refusal = desk.look(head, request, 1.0)
        assert refusal is not None and refusal.code == "mandate_check_busy"
        assert refusal.fault.should_retry
    assert len(counting.asked) == 2


def test_a_proof_names_its_holder_and_is_looked_at_each_time(
    desk: TokenDesk, counting: Counting
) -> None:
    for _ in range(2):
        head, request = asked(bearer(b"sk-fly-good"), (b"dpop", b"p"))
        assert desk.look(head, request, 1.0) is None
        assert head.mandate is not None and head.mandate.is_held
    url = "http://api.example/v1/chat/completions"
    assert counting.asked == [("sk-fly-good", f"p|POST|{url}|sk-fly-good")]
    plain, request = asked(bearer(b"sk-fly-good"))
    desk.look(plain, request, 1.0)
    assert plain.mandate is not None and not plain.mandate.is_held


@pytest.mark.parametrize("proofs", [[b"bad"], [b"p", b"p"]])
def test_a_bad_proof_is_refused(desk: TokenDesk, proofs: list[bytes]) -> None:
    head, request = asked(bearer(b"sk-fly-good"), *[(b"dpop", proof) for proof in proofs])
    refusal = desk.look(head, request, 1.0)
    assert refusal is not None and refusal.code == "holder_not_shown"
    assert head.mandate is None


def test_every_code_of_a_verifier_has_a_fault() -> None:
    from typing import get_args

    from flyball.authority.mandates.refusals import Code

    for code in get_args(Code):
        refusal = refusal_of(MandateError(code, "x"))
        assert isinstance(refusal, Refusal) and refusal.fault.status in (401, 403, 503)


def test_a_real_token_becomes_a_mandate() -> None:
    seen = seen_proofs()
    real = TokenDesk(
        verifier(),
        lambda proof, method, url, token, at: holder_of(proof, method, url, token, at, seen),
        public_url="https://api.example",
        refusals=MandateError,
    )
    head, request = asked(bearer(granted(LOOSE).encode()))
    assert real.look(head, request, T) is None
    assert head.mandate is not None and head.mandate.human == "https://idp.example|u|17"
    broken, request = asked(bearer(granted(LOOSE)[:-4].encode()))
    refusal = real.look(broken, request, T)
    assert refusal is not None and refusal.code == "mandate_invalid"
