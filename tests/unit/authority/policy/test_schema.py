"""Is the shipped schema one that Cedar reads, and does it name all that is asked of it?"""

import re

import pytest

from flyball.authority.policy.question import DYNAMIC, PLACE_FIELDS, STATIC
from flyball.authority.policy.schema import (
    ACTIONS,
    DECLARED_TYPES,
    attributes,
    nearest,
    schema,
    schema_text,
)


def test_cedar_reads_it_with_every_type_and_action() -> None:
    text = str(schema())
    for kind in (*DECLARED_TYPES, "Pool"):
        assert re.search(rf"entity {kind}\b", text), kind
    for action in ACTIONS:
        assert re.search(rf'action .*"?{action}"?', text), action


def test_every_attribute_is_filled() -> None:
    assert set(attributes("context")) == STATIC.keys() | DYNAMIC.keys()
    assert set(attributes("Pool")) == set(PLACE_FIELDS)
    assert attributes("Model") == ("license", "evalTier")
    assert attributes("Jurisdiction") == ()
    assert schema_text().startswith("// What a policy")


@pytest.mark.parametrize(
    ("word", "wanted"),
    [
        ("infr", "Did you mean 'infer'?"),
        ("INFER", "Did you mean 'infer'?"),
        ("zzz", "There are: infer, retry."),
    ],
)
def test_the_nearest_word(word: str, wanted: str) -> None:
    assert nearest(word, ("infer", "retry")) == wanted
    assert nearest(word, ()) == ""
