"""Are policies found in folders, and records turned into the questions that were asked?"""

from pathlib import Path

import pytest

from flyball.cli.file_shape import CannotUse
from flyball.cli.policy_input import read_cases, read_policies, read_question, read_recorded
from flyball.model.decision import Warrant
from flyball.serve.log.store import LedgerStore
from support import records
from support.policies import PERMIT

FLEET = """version: v1
sites: {paris: {jurisdiction: FR, tier: edge, rtt_ms: 12}}
pools:
  h100-paris: {site: paris, engine: vllm, profile: h100/llama-3.1-8b, models: [llama-3.1-8b],
    usd_per_million_input_tokens: 1.0, usd_per_million_output_tokens: 10.0,
    endpoints: ["http://127.0.0.1:8101"]}
classes:
  chat: {value_usd: 0.01, ttft_ms: 500, data_class: personal}
"""


def test_a_folder_stands_for_its_policies(tmp_path: Path) -> None:
    (tmp_path / "b.cedar").write_text(PERMIT.replace("base", "b"))
    (tmp_path / "a.cedar").write_text(PERMIT.replace("base", "a"))
    (tmp_path / "notes.txt").write_text("not a policy")
    (tmp_path / "tests.json").write_text('{"tests": [{"expect": "allow"}]}')
    found = read_policies((tmp_path,))
    assert [rule.id for rule in found.rules] == ["a", "b"]
    assert len(read_cases((tmp_path,), ())) == 1


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(CannotUse, match="not UTF-8"):
        read_policies((tmp_path,))


def test_facts_are_numbers_booleans_or_text() -> None:
    who, known, _ = read_question(
        None,
        (
            "subject.depth=2",
            "circumstances.has_budget=true",
            "circumstances.policy_age_s=1.5",
            "subject.purpose=care",
        ),
    )
    assert (who.depth, who.purpose) == (2, "care")
    assert (known.has_budget, known.policy_age_s) == (True, 1.5)


def test_a_record_becomes_the_question_that_the_gateway_asked(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    store = LedgerStore(tmp_path / "log")
    warrant = Warrant(chain=("aa", "bb", "cc"), human="bob", actor="scribe")
    store.append(
        records.intent(
            1, warrant=warrant, tokens_offered=2000, tokens_kept=1500, attempt=2, is_retry=True
        )
    )
    store.append(records.intent(2, served_model="llama-3.1-8b", model="chat"))
    store.append(records.refusal(3, "policy_denied"))
    store.append(records.refusal(4, "policy_denied", model="unknown"))
    assert store.close() == 0
    recorded = read_recorded(tmp_path / "log", tmp_path / "fleet.yaml", 0.0)
    first, second, third = recorded.questions()
    assert recorded.unknown == 1
    who, known, (place,) = first.subject, first.circumstances, first.places
    assert (who.principal, who.human, who.depth) == ("scribe", "bob", 2)
    assert (who.class_name, who.data_class, who.latency_class_ms) == ("chat", "personal", 500)
    assert (known.truncated_tokens, known.retry_depth, known.hops) == (500, 1, 2)
    assert known.cost_micro_usd == 1500 + 2560
    assert (place.pool, place.jurisdiction, place.tier) == ("h100-paris", "FR", "edge")
    assert (second.subject.principal, second.subject.human) == ("alice", "")
    assert second.subject.model == "llama-3.1-8b"
    assert [one.pool for one in third.places] == ["h100-paris"]
