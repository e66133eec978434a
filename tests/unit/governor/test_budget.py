"""Do retries stay below their share of successes, whatever fails?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.governor.budget import RetryBudget


@given(st.lists(st.booleans(), max_size=500))
def test_retries_never_exceed_the_start_plus_a_share_of_successes(events: list[bool]) -> None:
    budget = RetryBudget(0.1, 20.0)
    spent = earned = 0
    for is_success in events:
        if is_success:
            budget.earn()
            earned += 1
        elif budget.spend():
            spent += 1
    assert spent <= 2.0 + 0.1 * earned + 1e-9
    assert 0.0 <= budget.tokens <= 20.0
