"""Does a refusal say what to do, and when to try again?"""

from flyball.authority.mandates.refusals import MandateError


def test_only_a_busy_machine_is_worth_a_second_try() -> None:
    busy = MandateError("mandate_check_busy", "try again")
    assert busy.is_retryable and str(busy) == busy.detail == "try again"
    assert not MandateError("mandate_forged", "x").is_retryable
