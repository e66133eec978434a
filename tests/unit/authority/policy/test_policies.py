"""Is every fault of a policy set told at its place when it is loaded, all at once?"""

import pytest

from flyball.authority.policy.policies import PolicyErrors, content_digest, load
from support.policies import ENTITIES, PERMIT, example


def faults(text: str, entities: str = "[]") -> list[str]:
    with pytest.raises(PolicyErrors) as caught:
        load({"a.cedar": text}, entities)
    return [str(one) for one in caught.value.faults]


def when(condition: str) -> str:
    return f'@id("a") permit(principal, action, resource)\nwhen {{ {condition} }};'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (when('context.dataClas == "x"'), "a.cedar:2:16: attribute `dataClas` in context not found"
         "\n    Did you mean 'dataClass'?"),
        (when('resource.teir == "x"'), "a.cedar:2:17: attribute `teir` on entity type `Pool` not "
         "found\n    Did you mean 'tier'?"),
        (when("context.model.evalTeir > 1"), "Did you mean 'evalTier'?"),
        (when("context.model.evalTier > 1"), "Ask first: `… has evalTier && …`."),
        (when('context.transferBasis == "scc"'), "a.cedar:2:16: unable to guarantee safety of "
         "access to optional attribute `transferBasis` in context\n    Ask first: `context has "
         "transferBasis && …`."),
        (when('context.depth < "x"'), "a.cedar:1:1: unexpected type: expected Long but saw String"),
        ("permit(principal, action == Action::\"infr\", resource);", "Did you mean 'infer'?"),
        ("permit(principal is Agnt, action, resource);", "Did you mean 'Agent'?"),
        ("permit(principal, acton, resource);", "a.cedar:1:19: not a policy: found an invalid "
         "variable in the policy scope: acton\n    Did you mean 'action'?"),
        ("permit(principal, action, resource)", "a.cedar:1:36: not a policy: unexpected end"),
        ("permit(principal == ?principal, action, resource);", "a template is no policy"),
        (PERMIT + PERMIT, "a.cedar:2:1: the id 'base' is taken by a.cedar:1:1"),
        ('@obligation("x") forbid(principal, action, resource);',
         "a.cedar:1:2: an obligation on a forbid can never fall due"),
        ("", "a.cedar: no policy: it would deny everything"),
        ("// nothing", "a.cedar: no policy: it would deny everything"),
    ],
)  # fmt: skip
def test_each_fault_has_its_place_and_next_step(text: str, told: str) -> None:
    assert any(told in one for one in faults(text)), faults(text)


def test_all_faults_are_told_at_once() -> None:
    text = when('context.dataClas == "x"') + "\nforbid(principal, acton, resource);"
    found = faults(text, '[{"uid": {"type": "Rol", "id": "x"}}]')
    assert [one.partition(": ")[0] for one in found] == [
        "a.cedar:2:16",
        "a.cedar:3:19",
        "entities.json:1:2",
    ]


def test_entities_of_the_wrong_kind_are_refused_by_cedar() -> None:
    text = '[{"uid": {"type": "Model", "id": "m"}, "attrs": {"evalTier": "high"}}]'
    assert faults(PERMIT, text) == [
        "entities.json: Cedar refuses it: entity does not conform to the schema"
    ]


def test_what_was_hardly_meant_is_remarked() -> None:
    found = load(
        {"a.cedar": 'permit(principal, action, resource in Jurisdiction::"EUU");'}, ENTITIES
    )
    first, second = found.remarks
    assert "no @id" in first.message and found.rules[0].id == "a.cedar:1"
    assert str(second).startswith('a.cedar:1:53: Jurisdiction::"EUU" is not declared')
    assert second.next_step == "Did you mean 'EU'?"


def test_rules_keep_their_notes_and_places_over_several_files() -> None:
    found = load(
        {
            "a.cedar": PERMIT,
            "b.cedar": '\n@id("b") @owner("o") @obligation("x, y,")'
            " permit(principal, action, resource);",
        }
    )
    assert [rule.id for rule in found.rules] == ["base", "b"]
    rule = found.rule("policy1")
    assert (rule.place, rule.note("owner"), rule.note("basis")) == ("b.cedar:2:1", "o", "")
    assert rule.obligations == ("x", "y") and rule.is_permit


def test_more_than_ten_policies_keep_their_order() -> None:
    text = "".join(f'@id("p{i}") permit(principal, action, resource);' for i in range(25))
    found = load({"a.cedar": text})
    assert [found.rule(f"policy{i}").id for i in range(25)] == [f"p{i}" for i in range(25)]


def test_the_digest_is_of_the_content() -> None:
    first = content_digest({"x/a.cedar": PERMIT}, "[]")
    assert first.startswith("sha256:") and len(first) == 71
    assert first == content_digest({"/y/a.cedar": PERMIT}, "[]")
    assert first != content_digest({"x/b.cedar": PERMIT}, "[]")
    assert first != content_digest({"x/a.cedar": PERMIT}, "[ ]")
    assert load({"x/a.cedar": PERMIT}).digest == first
    assert load({"x/a.cedar": PERMIT}, digest="sha256:1").digest == "sha256:1"


def test_the_worked_example_is_without_remarks() -> None:
    found = example()
    assert len(found.rules) == 10 and not found.remarks
    assert all(rule.note("owner") for rule in found.rules)
