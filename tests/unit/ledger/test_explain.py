"""Do the sentences say what the records say: who, which rule, which price, what happened?"""

from typing import Any

import pytest

from flyball.ledger.checkpoint import Checkpoint
from flyball.ledger.explain import Case, explain, text_lines
from flyball.ledger.verify import Inclusion
from flyball.model.decision import Record
from flyball.model.faults import FAULTS
from support import records


def told(*found: Record, **more: Any) -> str:
    return "\n".join(text_lines(explain(Case(id=found[0].id, records=found, **more))))


def served(**changes: Any) -> str:
    it = records.intent(**changes)
    return told(it, records.outcome(it), feasibility=records.feasibility())


def test_who_asked_and_how_the_session_was_recognised() -> None:
    text = served()
    assert "alice asked for llama-3.1-8b (chat) in class chat, worth $0.01" in text
    assert "Session alice/s1, recognised by its x-session-id." in text
    assert "60.0 s until its deadline" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"session_source": "prefix"}, "recognised by its prompt, which continues an earlier one"),
        ({"session_source": "new-prefix"}, "new: its prompt continues none seen before"),
        ({"session": "", "session_source": ""}, "No session: "),
        ({"tokens_kept": 1500}, "About 2000 prompt tokens, 500 of them cut"),
        ({"held_s": 0.25}, "It was held for 250 ms"),
        ({"mode": "observe"}, "the baseline rule placed it"),
        (
            {"session_step": 7, "session_steps_left": 12.4},
            "It is step 7 of its session; about 12 more are expected after it.",
        ),
        (
            {"session_step": 7, "mode": "enforce", "advice": "refuse: deadline_unreachable: late"},
            "it would have been refused (deadline_unreachable: late): it was placed late instead",
        ),
        ({"board_version": 0}, "no price board yet"),
        ({"candidates_count": 512}, "2 of 512 candidates"),
        ({"rule": "single"}, "the only endpoint allowed"),
        ({"rule": "probe", "probe_arm": "h100->l40s"}, "as a probe of how the fleet answers (arm"),
        ({"rule": "fallback-stale-view"}, "too old to price by"),
        ({"rule": "fallback-mispredicted"}, "too far off to price by"),
    ],
)
def test_what_was_seen_and_why(changes: dict[str, Any], words: str) -> None:
    assert words in served(**changes)


def test_the_candidates_are_ranked_price_by_price_and_the_chosen_is_marked() -> None:
    lines = served().splitlines()
    head = next(i for i, line in enumerate(lines) if "lateness" in line)
    assert lines[head + 1].split() == (
        [">", "paris-1", "1.25", "2.50", "30.00", "33.75", "120", "ms", "20.0", "ms", "512", "100%"]
    )
    assert lines[head + 2].split()[:5] == ["edge-1", "1.25", "2.50", "86.25", "90.00"]


def test_why_the_least_price_and_why_a_near_equal_one() -> None:
    assert "it had the least price of 2. It had a chance of 100%." in served()
    near = (records.candidate("a"), records.candidate("b", total_usd=3.4e-5, propensity=0.4))
    text = served(candidates=near, endpoint="b")
    assert (
        "drawn among nearly equal prices, 0.25 µ$ above the least. It had a chance of 40%" in text
    )


def test_prices_and_ages_seen() -> None:
    text = served()
    assert "price board 7, 2.50 s old; the view of the fleet was 10.0 ms old" in text


def test_what_was_ruled_out_and_by_which_rule() -> None:
    text = served()
    assert "2 allowed, 1 ruled out (record scope-1.3: chat llama-3.1-8b)." in text
    assert "ohio-1    jurisdiction: US is not in EU" in text


def test_many_ruled_out_are_grouped_by_rule() -> None:
    refused = tuple((f"e{i}", "health: draining" if i % 2 else "model") for i in range(30))
    it = records.intent()
    text = told(it, feasibility=records.feasibility(refused=refused))
    assert "health: draining  15: e1, e3, e5, …" in text


def test_a_feasibility_that_the_log_does_not_hold_is_said() -> None:
    it = records.intent()
    assert "The log does not hold the record scope-1.3" in told(it)


def test_outcome_against_prediction() -> None:
    lines = [" ".join(line.split()) for line in served().splitlines()]
    assert "It was served by paris-1 after 1 attempt, HTTP 200." in lines
    assert "TTFT 120 ms 150 ms +25%" in lines
    assert "TPOT 20.0 ms 20.0 ms +0%" in lines
    assert "cached tokens 512 496" in lines


def test_still_running() -> None:
    assert "No outcome is recorded yet" in told(records.intent())


def test_lost_says_that_nobody_saw_the_end() -> None:
    it = records.intent()
    text = told(it, records.outcome(it, outcome="lost", status=0, in_time=False))
    assert "Nobody saw its end" in text


def test_a_refusal_names_price_party_and_what_would_change_it() -> None:
    text = told(records.refusal())
    assert "Code price_above_value: The fleet is worth more to others now: the least price" in text
    assert "At fault: the fleet" in text
    assert "Its price was $0.013." in text
    assert FAULTS["price_above_value"].next_step in text
    assert "come back after 2.00 s" in text


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_every_fault_can_be_told(code: str) -> None:
    text = told(records.refusal(code=code, reason="because"))
    assert FAULTS[code].next_step in text
    assert "{detail}" not in text


def test_one_request_turned_away_is_told_as_one_and_a_strange_code_as_it_is() -> None:
    turned = records.turned_away(code="from_the_future", reason="It was odd.")
    text = "\n".join(text_lines(explain(Case(id=turned.id, records=(turned,)))))
    assert "It was turned away before any decision, at" in text and "within" not in text
    assert "Code from_the_future: It was odd." in text and "At fault" not in text


def test_a_code_of_another_version_is_told_as_it_is() -> None:
    assert "Code new_code: because." in told(records.refusal(code="new_code", reason="because"))


def test_a_refusal_that_names_its_feasibility_shows_the_rules() -> None:
    text = told(
        records.refusal(code="jurisdiction_refused", feasibility="scope-1.3"),
        feasibility=records.feasibility(allowed=()),
    )
    assert "0 allowed, 1 ruled out" in text
    assert "At fault: policy" in text


def test_lineage_both_ways() -> None:
    first = records.intent(1)
    again = records.intent(2, lineage=first.id, is_retry=True)
    assert f"It is itself a retry of {first.id}." in told(again)
    text = told(first, retries=(again, records.outcome(again, outcome="failed", code="x")))
    assert f"{again.id} retried it at 2025-11-20T00:53:22.000Z on paris-1." in text
    assert f"{again.id}: failed (x)." in text


def test_two_attempts_have_two_tables() -> None:
    first, second = records.intent(), records.intent(attempt=2, endpoint="edge-1")
    text = told(first, second, records.outcome(second))
    assert "would have cost (attempt 1)" in text
    assert "would have cost (attempt 2)" in text


def test_proof_and_what_is_not_proven_yet() -> None:
    claimed = Checkpoint("here/log", 9, b"\x11" * 32)
    text = told(records.intent(), inclusions=(Inclusion(4, claimed, b"", (b"",) * 4),), unproven=1)
    assert "Entry 4 is in the log here/log of 9 entries: verified with 4 hashes." in text
    assert "Root " + "11" * 32 in text
    assert "1 entry is newer than the last checkpoint" in text


def test_other_kinds_are_told_field_by_field() -> None:
    text = told(records.config(3))
    assert "A record of the kind config, at 2025-11-20T00:53:23.000Z" in text
    assert "in_force: True" in text


def test_numbers_that_are_not_finite_are_told_too() -> None:
    bad = records.candidate(total_usd=float("nan"), ttft_s=float("inf"))
    assert "nan" in served(candidates=(bad,))
