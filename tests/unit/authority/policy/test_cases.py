"""Are tests of policies read with every mistake placed, and judged with a clear difference?"""

from typing import Any

import pytest

from flyball.authority.policy.cases import CaseFault, cases, judge, question
from flyball.authority.policy.cedar import CedarAuthority
from flyball.serve.config.text import parse
from support.policies import EXAMPLE, PERMIT, example, policy_set


def document(**test: Any) -> dict[str, Any]:
    return {
        "defaults": {"subject": {"model": "small"}, "place": "near"},
        "places": {"near": {"jurisdiction": "FR"}, "far": {"jurisdiction": "US", "pool": "f"}},
        "tests": [{"expect": "allow"} | test],
    }


def problems(text: str, **test: Any) -> tuple[str, ...]:
    (found,) = judge(CedarAuthority((policy_set(text, digest="d"),)), cases(document(**test)))
    return found.problems


HOME = PERMIT + '@id("home") forbid(principal, action, resource in Jurisdiction::"US");'


def test_defaults_and_named_places() -> None:
    (case,) = cases(document(place="far", subject={"purpose": "care"}))
    assert (case.name, case.subject.model, case.subject.purpose) == ("test 1", "small", "care")
    assert (case.place.pool, case.place.jurisdiction) == ("f", "US")
    (other,) = cases(document(place={"jurisdiction": "NO"}))
    assert (other.place.pool, other.place.jurisdiction) == ("near", "NO")


def test_as_expected() -> None:
    assert problems(HOME) == ()
    assert problems(HOME, policies=["base"], obligations=[]) == ()
    assert problems(HOME, place="far", expect="deny", policies=["home"]) == ()


def test_the_difference_is_told() -> None:
    assert problems(HOME, place="far") == ("expected allow, but it is deny (home)",)
    assert problems(HOME, expect="deny") == ("expected deny, but it is allow (base)",)
    assert problems(HOME, policies=["other", "home"]) == ("policies: -other -home +base",)
    assert problems(HOME, obligations=["notify"]) == ("obligations: -notify",)
    nothing = '@id("a") permit(principal is Loop, action, resource);'
    assert problems(nothing) == ("expected allow, but it is deny (nothing permits it)",)


def test_an_error_fails_a_test_that_expects_a_no() -> None:
    text = PERMIT + '@id("b") forbid(principal, action, resource) when {context.depth * 9 > 1};'
    (found,) = problems(text, expect="deny", subject={"depth": 2**62})
    assert found.startswith("error: ") and "`b`" in found


def test_times_and_approvals() -> None:
    text = '@id("a") permit(principal, action, resource) when { context.approvals > 0 };'
    assert problems(text, circumstances={"approvals": [{"by": "carol"}]}) == ()
    at = {"at": "2026-03-01T12:00:00Z"}
    late = [{"by": "carol", "expires_at": "2026-03-01T12:00:00+00:00"}]
    assert problems(text, circumstances=at | {"approvals": late}, expect="deny") == ()
    other = [{"by": "carol", "policy_digest": "sha256:other"}]
    assert problems(text, circumstances={"approvals": other}, expect="deny") == ()


@pytest.mark.parametrize(
    ("data", "path", "told"),
    [
        ([], (), "not a mapping"),
        ({"test": []}, ("test",), "unknown key 'test'"),
        ({}, ("tests",), "no tests"),
        ({"tests": []}, ("tests",), "no tests"),
        (document(expect="yes"), ("tests", 0, "expect"), "'yes' is no answer"),
        (document(subjekt={}), ("tests", 0, "subjekt"), "unknown key 'subjekt'"),
        (document(subject={"modell": "x"}), ("tests", 0, "subject", "modell"), "unknown key"),
        (document(subject={"depth": "x"}), ("tests", 0, "subject"), "Expected `int`"),
        (document(subject={"action": "fly"}), ("tests", 0, "subject"), "Invalid enum value"),
        (document(subject=[]), ("tests", 0, "subject"), "not a mapping"),
        (document(place="nowhere"), ("tests", 0, "place"), "there is no place 'nowhere'"),
        (document(policies="home"), ("tests", 0, "policies"), "not a list of names"),
        (document(circumstances={"at": "noon"}), ("tests", 0, "circumstances", "at"), "no time"),
        (
            document(circumstances={"at": "2026-03-01T12:00:00"}),
            ("tests", 0, "circumstances", "at"),
            "it has no zone",
        ),
        (
            document(circumstances={"approvals": 1}),
            ("tests", 0, "circumstances", "approvals"),
            "not a list",
        ),
        (
            document(circumstances={"approvals": [{"bye": "x"}]}),
            ("tests", 0, "circumstances", "approvals", 0, "bye"),
            "unknown key 'bye'",
        ),
        ({"places": [], "tests": [{"expect": "deny"}]}, ("places",), "not a mapping"),
        ({"defaults": 1, "tests": [{"expect": "deny"}]}, ("defaults",), "not a mapping"),
    ],
)
def test_each_mistake_has_its_path(data: Any, path: tuple[Any, ...], told: str) -> None:
    with pytest.raises(CaseFault) as caught:
        cases(data)
    assert caught.value.path == path and told in caught.value.message


def test_one_question() -> None:
    who, known, where = question({"subject": {"model": "m"}, "place": {"tier": "edge"}})
    assert (who.model, who.principal, where.tier, known.approvals) == ("m", "somebody", "edge", ())
    with pytest.raises(CaseFault, match="unknown key"):
        question({"subjects": {}})


def test_the_worked_example_passes_its_own_tests() -> None:
    data = parse((EXAMPLE / "tests.yaml").read_text(), "tests.yaml").data
    asked = CedarAuthority((example(),))
    judged = list(judge(asked, cases(data)))
    assert len(judged) >= 18
    assert {one.case.name: one.problems for one in judged if one.problems} == {}
    # Every rule of it decides at least one test: none could be taken out unseen.
    deciding = {name for one in judged for name in one.verdict.policies}
    assert {rule.id for rule in example().rules} == deciding
