"""Is the schema of each of the files whole, and is what it describes accepted?"""

import pytest
from jsonschema import Draft202012Validator

from flyball.cli.diagnose_shape import FILES, schema


@pytest.mark.parametrize("name", FILES)
def test_a_schema_is_a_schema_and_refuses_unknown_keys(name: str) -> None:
    shape = schema(name)
    Draft202012Validator.check_schema(shape)
    assert shape["$id"] == f"flyball.{name}.v1.json"
    bodies = [one for one in shape["$defs"].values() if one.get("type") == "object"]
    assert bodies and all(one["additionalProperties"] is False for one in bodies)


def test_a_file_there_is_not() -> None:
    with pytest.raises(KeyError):
        schema("fleet")
