"""Is what no log shows alone found when the logs of a gateway are read together?"""

import pytest

from flyball.ledger.checkpoint import Checkpoint, CheckpointError
from flyball.ledger.joint import judge_together, stored_entries
from flyball.ledger.record import encode
from flyball.ledger.tiles import ENTRIES, OpenTiles, Read, pack, tile_path
from flyball.ledger.tree import leaf_hash
from flyball.model.decision import Record, Warrant
from support import records
from support.records import CHAIN, HUMAN, T0


def log_of(found: list[Record]) -> Read:
    entries, edge, files = [encode(one) for one in found], OpenTiles(), {}
    for start in range(0, len(entries), 256):
        part = entries[start : start + 256]
        files[tile_path(ENTRIES, start // 256, len(part))] = pack(part)
        for entry in part:
            files.update(edge.append(leaf_hash(entry)))
    files["checkpoint"] = Checkpoint("o", len(entries), edge.root()).text().encode()
    return files.get


def placed(number: int) -> Record:
    at = T0 + number
    name = f"req_{int(at * 1000):011x}01{number:06x}abcde"
    return records.intent(at=at, id=name, warrant=Warrant(chain=CHAIN, human=HUMAN))


def judge(*logs: list[Record]):
    return judge_together([log_of(log) for log in logs], [0] * len(logs))


STORY = [placed(number) for number in range(1, 400)]


def test_parts_of_one_story_are_whole_together_and_not_alone() -> None:
    even, odd = STORY[::2], STORY[1::2]
    assert judge(even, odd).problems == () == judge(even, odd).remarks
    assert judge(even, odd).decisions == {"computed": 399}
    alone = judge(even)
    assert alone.problems_count == 1 and "no record in the gateway run 01abcde" in alone.problems[0]
    assert len(alone.remarks) == 1


def test_a_revocation_in_one_log_ends_what_stands_in_another() -> None:
    found = judge([records.revocation(T0 + 200.0)], STORY)
    assert found.problems_count == 199 and len(found.problems) == 100
    assert "revoked" in found.problems[0]


def test_a_decision_that_its_prices_do_not_bear_out() -> None:
    bad = records.intent(500, endpoint="edge-1")
    assert judge([bad]).problems == (
        f"{bad.id}, attempt 1: the rule chose paris-1, it went to edge-1.",
    )


def test_unreadable_parts_are_left_to_who_checks_the_log_itself() -> None:
    read = log_of(STORY)

    def damaged(path: str) -> bytes | None:
        raw = read(path)
        return raw[:-1] if raw and path.endswith(".p/143") else raw

    assert len(list(stored_entries(damaged))) == 256
    assert len(list(stored_entries(read, 300))) == 143
    with pytest.raises(CheckpointError):
        list(stored_entries(lambda path: None))
