"""Why is a token or a proof not accepted? One code per reason, and never a word of the token."""

from typing import Literal

Code = Literal[
    "mandate_malformed",  # not a token in its one spelling
    "mandate_oversized",  # too many blocks or characters
    "mandate_weak_key",  # a key in it is of small order or not canonical
    "mandate_old_block",  # a third party's block of an unsafe version
    "mandate_unknown_root",  # no root key of this number is trusted here
    "mandate_forged",  # a signature does not hold
    "mandate_unreadable",  # a block says what cannot be enforced here
    "mandate_foreign_block",  # a third party that is neither an approver nor the holder
    "mandate_self_approved",  # somebody of the chain approved it
    "mandate_rebound",  # delegated on by another than its holder
    "mandate_depth",  # delegated further than a block allows
    "mandate_empty",  # its blocks leave nothing that is allowed
    "mandate_not_yet",
    "mandate_expired",
    "mandate_holder_required",  # bound to a key whose possession was not shown
    "mandate_holder_mismatch",  # another key was shown
    "mandate_widened",  # an attenuation that asks for more than there is
    "mandate_check_failed",  # the token's own checks and what was read of it differ
    "mandate_check_busy",  # the machine was too busy to finish the check: try again
    "proof_malformed",
    "proof_forged",
    "proof_mismatch",  # made for another request or another token
    "proof_stale",
    "proof_replayed",
    "approval_malformed",
    "approval_misplaced",  # made for another token, or for this one before it changed
    "approval_expired",
    "approval_spent",
    "jwt_malformed",
    "jwt_forged",
    "jwt_algorithm",
    "jwt_claims",
    "jwt_expired",
    "jwt_unknown_key",
]
_RETRYABLE = ("mandate_check_busy",)


class MandateError(ValueError):
    """A token, proof or approval is refused. `detail` is for people: place, party, next step.

    `is_retryable` = nothing is wrong with it, this machine could not finish judging it.
    """

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.is_retryable = code in _RETRYABLE
