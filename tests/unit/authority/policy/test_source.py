"""Is a policy file parted where its policies end, with the right places?"""

from hypothesis import given
from hypothesis import strategies as st

from flyball.authority.policy.source import Fault, PolicyErrors, line_and_col, statements

TEXT = """// one; two
permit (principal, action, resource) // ; no end
when { context.purpose == "a;\\"b" };

  forbid(principal, action, resource);permit
"""


def test_policies_are_parted_outside_of_comments_and_strings() -> None:
    found = list(statements("a.cedar", TEXT))
    assert [one.place for one in found] == [(2, 1), (5, 3), (5, 39)]
    assert found[0].text.startswith("permit") and found[0].text.endswith("};")
    assert found[1].text == "forbid(principal, action, resource);"
    assert found[2].text == "permit"


def test_a_word_is_found_outside_of_comments() -> None:
    (first, *_) = statements("a.cedar", "permit // purpose\n(x == purpose);")
    assert first.at(first.find("purpose")) == (2, 7)
    assert first.find("absent") == 0
    assert str(first.fault("bad", "mend it", first.find("purpose"))) == (
        "a.cedar:2:7: bad\n    mend it"
    )


def test_faults_are_told_in_order_of_place() -> None:
    faults = [
        Fault(source="b", message="third"),
        Fault(source="a", line=9, col=1, message="second"),
        Fault(source="a", line=2, col=1, message="first"),
    ]
    assert str(PolicyErrors(faults)) == "a:2:1: first\na:9:1: second\nb: third"


@given(st.text(alphabet='ab;"\\/\n ', max_size=60))
def test_nothing_but_space_and_comments_is_lost(text: str) -> None:
    found = list(statements("x", text))
    for one in found:
        assert text[one.offset : one.offset + len(one.text)] == one.text
        assert line_and_col(text, one.offset) == one.place
    rest = text
    for one in reversed(found):
        rest = rest[: one.offset] + rest[one.offset + len(one.text) :]
    for line in rest.splitlines():
        assert not line.partition("//")[0].strip()
