"""Does an AuthZEN question reach policy as it was asked, and the answer come back in its words?"""

import json
from typing import Any

import pytest

from flyball.authority.revocation.authzen import BATCH_MAX, QuestionError, evaluate, evaluate_all
from flyball.governor.authority import Open
from flyball.model.verdict import Circumstances, Place, Subject, Verdict
from support.oversight import POOL

AT = 1_763_700_000.0


class Models:
    """Allows models whose name begins with "ok"; remembers what it was asked."""

    digests: tuple[str, ...] = ("sha256:x",)

    def __init__(self) -> None:
        self.asked: list[tuple[Subject, Circumstances, Place]] = []

    def mask(self, subject: Subject, places: tuple[Place, ...]) -> tuple[str, ...]:
        return ("",) * len(places)

    def decide(self, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
        self.asked.append((subject, circumstances, place))
        if subject.model.startswith("ok"):
            return Verdict(allowed=True, obligations=("record-before-release",), policies=("a",))
        return Verdict(allowed=False, policies=("models",), bundles=self.digests)


def question(**changed: Any) -> dict[str, Any]:
    return {
        "subject": {"type": "agent", "id": "planner", "properties": {"depth": 2, "tenant": "t"}},
        "action": {"name": "infer"},
        "resource": {"type": "model", "id": "ok-7b", "properties": {"pool": "p"}},
        "context": {"dataClass": "personal", "dataHome": "NO", "costMicroUsd": 12},
        **changed,
    }


def asked(value: Any, authority: Any = None) -> dict[str, Any]:
    def place_of(name: str) -> Place | None:
        return POOL if name == "p" else None

    act = evaluate_all if "evaluations" in value else evaluate
    return act(json.dumps(value).encode(), authority or Models(), place_of, AT)


def test_every_fact_arrives_where_policy_reads_it() -> None:
    models = Models()
    answer = asked(question(), models)
    subject, circumstances, place = models.asked[0]
    assert (subject.principal, subject.model, subject.depth) == ("planner", "ok-7b", 2)
    assert (subject.data_class, subject.data_home, subject.tenant) == ("personal", "NO", "t")
    assert (circumstances.cost_micro_usd, circumstances.at) == (12, AT)
    assert place == POOL
    assert answer["decision"] is True
    assert answer["context"]["obligations"] == [{"id": "record-before-release"}]


def test_a_no_says_which_rule() -> None:
    answer = asked(question(resource={"type": "model", "id": "big"}))
    assert answer["decision"] is False
    assert answer["context"]["reason_admin"] == {"en": "models"}


def test_a_pool_is_asked_by_its_name_and_an_unknown_one_is_no() -> None:
    pool = {"type": "pool", "id": "p", "properties": {"model": "ok"}}
    assert asked(question(resource=pool))["decision"] is True
    none = asked(question(resource={**pool, "id": "q"}))
    assert none["decision"] is False and none["context"]["error"]["code"] == "unknown_pool"


@pytest.mark.parametrize(
    "changed",
    [
        {"action": {"name": "delete"}},
        {"resource": {"type": "document", "id": "1"}},
        {"subject": {"type": "agent"}},
        {"subject": {"type": "agent", "id": "a", "properties": {"depth": "deep"}}},
        {"context": {"costMicroUsd": "12"}},
        {"context": []},
    ],
)
def test_what_is_no_question_is_refused_not_guessed(changed: dict[str, Any]) -> None:
    with pytest.raises(QuestionError):
        asked(question(**changed))


def test_a_fact_cannot_change_who_acts_or_when() -> None:
    models = Models()
    sly = {"type": "agent", "id": "planner", "properties": {"principal": "root", "action": "cap"}}
    asked(question(subject=sly, context={"at": 1}), models)
    subject, circumstances, _ = models.asked[0]
    assert (subject.principal, subject.action, circumstances.at) == ("planner", "infer", AT)


ONES = [{"resource": {"type": "model", "id": name}} for name in ("ok-1", "bad", "ok-2")]


@pytest.mark.parametrize(
    ("semantic", "decisions"),
    [
        (None, [True, False, True]),
        ("execute_all", [True, False, True]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_a_batch_shares_what_it_says_once(semantic: str | None, decisions: list[bool]) -> None:
    options = {} if semantic is None else {"options": {"evaluations_semantic": semantic}}
    answer = asked({**question(), "evaluations": ONES, **options})
    assert [one["decision"] for one in answer["evaluations"]] == decisions


def test_a_bad_one_in_a_batch_is_a_no_of_its_own() -> None:
    answer = asked({**question(), "evaluations": [{"action": {"name": "x"}}, ONES[0]]})
    first, second = answer["evaluations"]
    assert first["decision"] is False and first["context"]["error"]["status"] == 400
    assert second["decision"] is True


def test_batches_are_bounded_and_an_empty_one_is_one_question() -> None:
    with pytest.raises(QuestionError, match="at most"):
        asked({**question(), "evaluations": ONES * BATCH_MAX})
    assert asked({**question(), "evaluations": []}, Open())["decision"] is True
    with pytest.raises(QuestionError):
        asked({"evaluations": [], "options": {"evaluations_semantic": "vote"}})
