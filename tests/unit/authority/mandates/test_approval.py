"""Is one action approved by one person, once, for one token?"""

import json
from typing import Any

import pytest

from flyball.authority.mandates.approval import (
    action_sha256,
    approve,
    ask,
    attach,
    read_asked,
    read_granted,
    seen_once,
    use,
)  # fmt: skip
from flyball.authority.mandates.attenuate import attenuate
from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.revocation.signer import Signer
from support.mandates import APPROVER, T, granted, verifier

ACTION: dict[str, Any] = {"operation": "toolCall", "tool": "pay", "amount_micro_usd": 5}
NONCE = bytes(range(16))


def approved(token: str, signer: Signer = APPROVER, nonce: bytes = NONCE) -> str:
    return attach(token, approve(ask(token, ACTION, T), signer, T, 600.0, nonce))


def test_an_approval_from_end_to_end() -> None:
    token = granted()
    asked = read_asked(json.dumps(as_dict(ask(token, ACTION, T))).encode())
    assert token[7:] not in str(asked) and asked.id == asked.action_sha256[:16]
    granted_one = read_granted(
        json.dumps(as_dict(approve(asked, APPROVER, T, 600, NONCE))).encode()
    )
    mandate = verifier().verify(attach(token, granted_one), T)
    (one,) = mandate.approvals
    assert (one.by, one.action_sha256) == ("ann", action_sha256(ACTION))
    assert (one.policy_digest, one.expires_at, one.id) == ("sha256:ab", T + 600, NONCE.hex())
    spent = seen_once()
    assert use(mandate.approvals, one.action_sha256, "sha256:ab", T, spent) == one
    with pytest.raises(MandateError) as caught:
        use(mandate.approvals, one.action_sha256, "sha256:ab", T, spent)
    assert caught.value.code == "approval_spent"


def as_dict(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__struct_fields__}


def test_the_same_approval_attached_twice_is_spent_once() -> None:
    """The block's own id differs with each appending: the approver's nonce does not."""
    token, spent = granted(), seen_once()
    answer = approve(ask(token, ACTION, T), APPROVER, T, 600.0, NONCE)
    first, second = (verifier().verify(attach(token, answer), T) for _ in range(2))
    assert first.chain[-1] != second.chain[-1]
    use(first.approvals, action_sha256(ACTION), "sha256:ab", T, spent)
    with pytest.raises(MandateError, match="used already"):
        use(second.approvals, action_sha256(ACTION), "sha256:ab", T, spent)


def test_it_fits_one_token_only() -> None:
    token = granted()
    answer = approve(ask(token, ACTION, T), APPROVER, T, 600.0, NONCE)
    for other in (granted(), attenuate(token, Limits())):
        with pytest.raises(MandateError) as caught:
            attach(other, answer)
        assert caught.value.code == "approval_misplaced"
        moved = answer.__class__(**(as_dict(answer) | {"mandate": ask(other, ACTION, T).mandate}))
        with pytest.raises(MandateError) as caught:
            verifier().verify(attach(other, moved), T)
        assert caught.value.code == "mandate_forged"


def test_by_the_agent_itself() -> None:
    with pytest.raises(MandateError) as caught:
        verifier().verify(approved(granted(), Signer.new("ann")), T)
    assert caught.value.code == "mandate_foreign_block"


def test_other_actions_policies_and_times() -> None:
    judge = verifier()
    token = approved(granted())
    mandate = judge.verify(token, T)
    right = action_sha256(ACTION)
    for action, policy, at, code in (
        (action_sha256(ACTION | {"amount_micro_usd": 6}), "sha256:ab", T, "approval_misplaced"),
        (right, "sha256:other", T, "approval_expired"),
        (right, "sha256:ab", T + 601, "approval_expired"),
    ):
        with pytest.raises(MandateError) as caught:
            use(mandate.approvals, action, policy, at, seen_once())
        assert caught.value.code == code
    assert judge.verify(token, T + 601).approvals == ()


def test_documents_that_are_none() -> None:
    asked = as_dict(ask(granted(), ACTION, T))
    for bad in (b"", b"[]", b"x" * 20_000, json.dumps(asked | {"more": 1}).encode()):
        with pytest.raises(MandateError):
            read_asked(bad)
    with pytest.raises(MandateError, match="hash"):
        read_asked(json.dumps(asked | {"action": {"tool": "other"}}).encode())
    with pytest.raises(MandateError):
        read_granted(b"{}")
    for life, nonce in ((0, NONCE), (8 * 86_400, NONCE), (60, b"short")):
        with pytest.raises(MandateError):
            approve(ask(granted(), ACTION, T), APPROVER, T, life, nonce)
