"""Is every request found in a real log once, and each kind of loss noticed?"""

from pathlib import Path

import pytest

from flyball.model.decision import Intent, Outcome, Record
from flyball.serve.log import pairs as logcheck
from flyball.serve.log.store import LedgerStore
from support import records


def _intent(name: str, attempt: int = 1) -> Intent:
    return records.intent(id=name, attempt=attempt)


def _outcome(name: str, kind: str = "served", attempt: int = 1) -> Outcome:
    attempts = 0 if kind == "refused" else attempt
    return records.outcome(_intent(name), outcome=kind, attempts=attempts)


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
    ("written", "lost", "doubled"),
    [
        ([], 1, 0),
        ([_intent("a")], 1, 0),
        ([_outcome("a")], 1, 0),
        ([_intent("a"), _outcome("a", "retried")], 1, 0),
        ([_intent("a"), _outcome("a"), _outcome("a")], 0, 1),
        ([_intent("a"), _intent("a"), _outcome("a")], 0, 1),
    ],
)
def test_losses_are_seen(tmp_path: Path, written: list[Record], lost: int, doubled: int) -> None:
    folder = _log(tmp_path / "log", _intent("other"), _outcome("other"), *written)
    found = logcheck.compare(folder, ["a"], patience_s=0.0)
    assert (found["lost"], found["doubled"]) == (lost, doubled)


def test_an_id_given_to_two_requests_is_a_double(tmp_path: Path) -> None:
    folder = _log(tmp_path / "log", _intent("a"), _outcome("a"))
    assert logcheck.compare(folder, ["a", "a"])["doubled"] == 1


def test_no_log_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="There is no log in"):
        logcheck.compare(tmp_path, ["a"])


def test_requests_turned_away_are_not_lost(tmp_path: Path) -> None:
    turned = records.turned_away(count=2)
    folder = _log(tmp_path / "log", turned)
    assert logcheck.compare(folder, turned.ids)["lost"] == 0
    found = logcheck.compare(folder, [*turned.ids, "req_none"], patience_s=0.0)
    assert found["lost"] == 1 and found["checked"] == 3
