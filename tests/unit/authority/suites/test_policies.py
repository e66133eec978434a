"""Are Cedar's integration tests, in their published layout, judged as they are meant?"""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from flyball.cli import main

SCHEMA = """
entity User in [Group]; entity Group;
entity Doc = { "owner"?: User, "size": Long, "net"?: ipaddr };
action view, edit appliesTo { principal: User, resource: Doc,
                              context: { "from"?: ipaddr, "score"?: decimal } };
"""
POLICIES = """
permit (principal in Group::"staff", action == Action::"view", resource);
permit (principal, action, resource) when { resource has owner && resource.owner == principal };
forbid (principal, action, resource) when { resource.size * 2 > 100 };
forbid (principal, action == Action::"edit", resource)
unless { context has from && context.from.isInRange(ip("10.0.0.0/8")) };
"""
ENTITIES = [
    {"uid": {"type": "Group", "id": "staff"}, "attrs": {}, "parents": []},
    {
        "uid": {"type": "User", "id": "ann"},
        "attrs": {},
        "parents": [{"type": "Group", "id": "staff"}],
    },
    {"uid": {"type": "User", "id": "bob"}, "attrs": {}, "parents": []},
    {
        "uid": {"type": "Doc", "id": "plan"},
        "attrs": {"size": 3, "owner": {"type": "User", "id": "bob"}},
        "parents": [],
    },
    {"uid": {"type": "Doc", "id": "vast"}, "attrs": {"size": 2**62}, "parents": []},
]


def asked(
    who: str,
    what: str,
    where: str,
    decision: str,
    reason: list[int],
    errors: list[int] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return {
        "principal": {"type": "User", "id": who},
        "action": {"type": "Action", "id": what},
        "resource": {"type": "Doc", "id": where},
        "context": {},
        "decision": decision,
        "reason": [f"policy{i}" for i in reason],
        "errors": [f"policy{i}" for i in errors or []],
        **more,
    }


GOOD = [
    asked("ann", "view", "plan", "allow", [0], description="staff may look"),
    asked("bob", "view", "plan", "Allow", [1]),
    asked("bob", "edit", "plan", "deny", [3]),
    asked("bob", "edit", "plan", "allow", [1], context={"from": "10.1.2.3"}),
    asked("bob", "edit", "plan", "deny", [3], context={"from": "192.0.2.1", "score": "0.5"}),
    # Cedar's own rule: a policy that errs is left out, and the others decide.
    asked("ann", "view", "vast", "allow", [0], [2]),
    asked("eve", "view", "plan", "deny", []),
    asked("eve", "view", "none", "deny", [], [2], validateRequest=False),
]


def layout(folder: Path, requests: list[dict[str, Any]], **changes: Any) -> Path:
    (folder / "tests" / "mine").mkdir(parents=True)
    (folder / "sample-data").mkdir()
    (folder / "sample-data" / "world.cedarschema").write_text(SCHEMA)
    (folder / "sample-data" / "entities.json").write_text(json.dumps(ENTITIES))
    (folder / "tests" / "mine" / "policies.cedar").write_text(POLICIES)
    test = {
        "policies": "tests/mine/policies.cedar",
        "entities": "sample-data/entities.json",
        "schema": "sample-data/world.cedarschema",
        "shouldValidate": True,
        "requests": requests,
    }
    (folder / "tests" / "mine" / "1.json").write_text(json.dumps(test | changes))
    return folder


def run(folder: Path) -> tuple[int, list[str]]:
    result = CliRunner().invoke(main, ["conformance", "cedar", str(folder)], catch_exceptions=False)
    return result.exit_code, result.stdout.splitlines()


def test_all_of_it_passes(tmp_path: Path) -> None:
    assert run(layout(tmp_path, GOOD)) == (0, [f"{len(GOOD) + 1} passed, 0 failed"])


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (asked("ann", "view", "plan", "deny", [0]), "it is allow by policy0, not deny by policy0"),
        (
            asked("ann", "view", "plan", "allow", [1]),
            "it is allow by policy0, not allow by policy1",
        ),
        (asked("ann", "view", "vast", "allow", [0]), "errors in policy2, not allow by policy0"),
        (asked("ann", "fly", "plan", "deny", []), "does not exist in the supplied schema"),
        (asked("ann", "view", "plan", "allow", [0], principal=None), "without a principal"),
    ],
)
def test_a_wrong_expectation_fails(tmp_path: Path, request_: dict[str, Any], told: str) -> None:
    code, lines = run(layout(tmp_path, [request_]))
    assert code == 1 and lines[-1] == "1 passed, 1 failed"
    assert lines[0].startswith("FAILED tests/mine/1.json: request 0") and told in lines[0]


def test_validation_is_a_case(tmp_path: Path) -> None:
    code, lines = run(layout(tmp_path, [], shouldValidate=False))
    assert code == 1 and "validation: should not validate" in lines[0]
    (tmp_path / "tests" / "mine" / "policies.cedar").write_text(
        "permit (principal, action, resource) when { resource.sise > 1 };"
    )
    assert run(tmp_path) == (0, ["1 passed, 0 failed"])


def test_files_are_found_from_any_folder_and_in_the_older_form(tmp_path: Path) -> None:
    old = {key: value for key, value in GOOD[0].items() if key != "reason"}
    layout(tmp_path, [], queries=[old | {"reasons": ["policy0"]}])
    test = tmp_path / "tests" / "mine" / "1.json"
    document = json.loads(test.read_text())
    del document["requests"]
    test.write_text(json.dumps(document))
    for name in ("world.cedarschema", "entities.json"):
        (tmp_path / "tests" / "mine" / name).write_text(
            (tmp_path / "sample-data" / name).read_text()
        )
    assert run(tmp_path / "tests") == (0, ["2 passed, 0 failed"])


def test_json_policies_and_schemas(tmp_path: Path) -> None:
    import cedarpy

    layout(
        tmp_path,
        GOOD[:2],
        policyFormat="json",
        policies="p.json",
        schemaFormat="json",
        schema="s.json",
    )
    (tmp_path / "p.json").write_text(cedarpy.policies_to_json_str(POLICIES))
    (tmp_path / "s.json").write_text(
        json.dumps(
            {
                "": {
                    "entityTypes": {
                        "User": {"memberOfTypes": ["Group"]},
                        "Group": {},
                        "Doc": {
                            "shape": {
                                "type": "Record",
                                "attributes": {
                                    "owner": {"type": "Entity", "name": "User", "required": False},
                                    "size": {"type": "Long"},
                                },
                            }
                        },
                    },
                    "actions": {
                        name: {
                            "appliesTo": {
                                "principalTypes": ["User"],
                                "resourceTypes": ["Doc"],
                                "context": {
                                    "type": "Record",
                                    "attributes": {
                                        "from": {
                                            "type": "Extension",
                                            "name": "ipaddr",
                                            "required": False,
                                        }
                                    },
                                },
                            }
                        }
                        for name in ("view", "edit")
                    },
                }
            }
        )
    )
    assert run(tmp_path) == (0, ["3 passed, 0 failed"])


def test_files_that_are_missing_or_broken_are_failures(tmp_path: Path) -> None:
    layout(tmp_path, GOOD, policies="gone.cedar")
    code, lines = run(tmp_path)
    assert code == 1 and "cannot be read" in lines[0] and "gone.cedar is not there" in lines[0]
