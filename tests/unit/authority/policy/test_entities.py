"""Are entities read as Cedar reads them, and is each mistake told with its place?"""

import json

import pytest

from flyball.authority.policy.entities import declared
from support.policies import ENTITIES


def problems(text: str) -> list[str]:
    return [str(fault) for fault in declared("e.json", text)[1]]


def test_a_tree() -> None:
    found, faults = declared("e.json", ENTITIES)
    assert not faults
    assert found.above(("Jurisdiction", "FR")) == {("Jurisdiction", "EU")}
    assert found.above(("Jurisdiction", "nowhere")) == frozenset()
    assert found.attrs[("Model", "small")] == {"evalTier": 2}
    parsed = json.loads(found.cedar_json())
    assert {
        "uid": {"type": "Jurisdiction", "id": "FR"},
        "attrs": {},
        "parents": [{"type": "Jurisdiction", "id": "EU"}],
    } in parsed


def test_the_longer_form_of_an_id_is_read() -> None:
    text = '[{"uid": {"__entity": {"type": "Role", "id": "r"}}}]'
    assert ("Role", "r") in declared("e.json", text)[0].parents


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "e.json:1:1: not JSON: a list was expected"),
        ("{}", "e.json:1:1: not JSON: a list was expected"),
        ("[] x", "e.json:1:3: not JSON: something stands after the list"),
        ('[\n {"uid": }]', "e.json:2:10: not JSON: Expecting value"),
        ('[{"uid": {"type": "Role", "id": "a"}} {}]', "a comma or ] was expected"),
        ("[1]", "e.json:1:2: not an entity"),
        ('[{"uid": {"type": "Role", "id": 1}}]', "not the id of an entity"),
        ('[{"id": {"type": "Role", "id": "a"}}]', "not an entity"),
        ('[{"uid": {"type": "Rule", "id": "a"}}]', "Did you mean 'Role'?"),
        ('[{"uid": {"type": "Pool", "id": "a"}}]', "Pools come from the fleet."),
        ('[{"uid": {"type": "Role", "id": "a"}, "attrs": []}]', "attrs is an object"),
        ('[{"uid": {"type": "Role", "id": "a"}, "attrs": {"x": 1}}]', "A Role has none."),
        (
            '[{"uid": {"type": "Model", "id": "a"}, "attrs": {"evalTie": 1}}]',
            "Did you mean 'evalTier'?",
        ),
        (
            '[{"uid": {"type": "Model", "id": "a"}, "parents": [{"type": "Role", "id": "r"}]}]',
            "a Model lies in a ModelFamily, not in a Role",
        ),
        (
            '[{"uid": {"type": "Role", "id": "a"}, "parents": [{"type": "Role", "id": "b"}]}]',
            'Role::"a" is in Role::"b", not declared',
        ),
        (
            '[{"uid": {"type": "Role", "id": "a"}, "parents": [{"type": "Role", "id": "a"}]}]',
            'Role::"a" lies in itself',
        ),
        (
            '[{"uid": {"type": "Role", "id": "a"}}, {"uid": {"type": "Role", "id": "a"}}]',
            'e.json:1:40: Role::"a" is declared twice',
        ),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_each_mistake_has_its_place(text: str, told: str) -> None:
    assert any(told in problem for problem in problems(text)), problems(text)
