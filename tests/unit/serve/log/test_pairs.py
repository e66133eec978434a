"""Is every request found in a real log once, and each kind of loss noticed?"""

from pathlib import Path

import pytest

from flyball.model.decision import Intent, Outcome, Record
from flyball.serve.log import pairs as logcheck
from flyball.serve.log.store import LedgerStore

AT = 1_800_000_000.0


def _intent(name: str, attempt: int = 1) -> Intent:
    return Intent(
        id=name, at=AT, principal="p", class_name="c", session="", session_source="", model="m",
        operation="chat", attempt=attempt, lineage="", is_retry=False, tokens_offered=1,
        tokens_kept=1, output_tokens_max=1, deadline_at=AT, value_usd=0.0, rule="price",
        probe_arm="", endpoint="e", pool="q", candidates=(), candidates_count=0, feasibility="",
        board_version=0, board_age_s=0.0, view_age_s=0.0, held_s=0.0, mode="enforce",
    )  # fmt: skip


def _outcome(name: str, kind: str = "served", attempt: int = 1) -> Outcome:
    return Outcome(
        id=name, at=AT, outcome=kind, endpoint="e",  # type: ignore[arg-type]
        attempts=0 if kind == "refused" else attempt, status=200, code="", reason="",
        input_tokens=1, cached_tokens=0, output_tokens=1, ttft_s=0.0, e2e_s=0.0, in_time=True,
        cost_usd=0.0,
    )  # fmt: skip


def _log(folder: Path, *records: Record) -> Path:
    store = LedgerStore(folder)
    for record in records:
        store.append(record)
    store.close()
    return folder


def test_whole_runs_pass(tmp_path: Path) -> None:
    folder = _log(
        tmp_path / "log", _intent("a"), _outcome("a", "retried"), _intent("a", 2),
        _outcome("a", attempt=2), _outcome("r", "refused"), _intent("else"),
    )  # fmt: skip
    assert logcheck.compare(folder, ["a", "r", ""]) == {
        "checked": 2, "lost": 0, "doubled": 0, "unnamed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("records", "lost", "doubled"),
    [
        ([], 1, 0),
        ([_intent("a")], 1, 0),
        ([_outcome("a")], 1, 0),
        ([_intent("a"), _outcome("a", "retried")], 1, 0),
        ([_intent("a"), _outcome("a"), _outcome("a")], 0, 1),
        ([_intent("a"), _intent("a"), _outcome("a")], 0, 1),
    ],
)
def test_losses_are_seen(tmp_path: Path, records: list[Record], lost: int, doubled: int) -> None:
    folder = _log(tmp_path / "log", _intent("other"), _outcome("other"), *records)
    found = logcheck.compare(folder, ["a"], patience_s=0.0)
    assert (found["lost"], found["doubled"]) == (lost, doubled)


def test_an_id_given_to_two_requests_is_a_double(tmp_path: Path) -> None:
    folder = _log(tmp_path / "log", _intent("a"), _outcome("a"))
    assert logcheck.compare(folder, ["a", "a"])["doubled"] == 1


def test_no_log_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="There is no log in"):
        logcheck.compare(tmp_path, ["a"])
