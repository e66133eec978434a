"""Is JSON written as RFC 8785 says, and as ECMAScript writes numbers?"""

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.signing.jcs import JcsError, canonical, canonicalize, number

# Made by Node's JSON.stringify: the hex of a double, and what it is written as.
NUMBERS = [
    "0,0",
    "8000000000000000,0",
    "3ff0000000000000,1",
    "bff0000000000000,-1",
    "1,5e-324",
    "8000000000000001,-5e-324",
    "7fefffffffffffff,1.7976931348623157e+308",
    "4340000000000000,9007199254740992",
    "4430000000000000,295147905179352830000",
    "444b1ae4d6e2ef50,1e+21",
    "444b1ae4d6e2ef4f,999999999999999900000",
    "3eb0c6f7a0b5ed8d,0.000001",
    "3e7ad7f29abcaf48,1e-7",
    "3eb0c6f7a0b5ed8c,9.999999999999997e-7",
    "3fb999999999999a,0.1",
    "419d6f3454800000,123456789.125",
    "44b52d02c7e14af6,1e+23",
    "4012000000000000,4.5",
    "3f60624dd2f1a9fc,0.002",
    "3a53ce9a36f23c10,1e-27",
    "41b3de4355555555,333333333.3333333",
    "43143ff3c1cb0959,1424953923781206.2",
    "4415af1d78b58c40,100000000000000000000",
    "441ac53a7e04bcda,123456789012345680000",
    "7e41eb2d66005835,1.5e+300",
    "4340000000000001,9007199254740994",
    "4059000000000000,100",
    "41324f8000000000,1200000",
    "3ee9e0fcaf9380fc,0.00001234",
]


@pytest.mark.parametrize("line", NUMBERS)
def test_numbers_are_written_as_ecmascript_does(line: str) -> None:
    bits, wanted = line.split(",")
    (value,) = struct.unpack(">d", bytes.fromhex(bits.zfill(16)))
    assert number(value) == wanted


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_reads_back_as_itself(value: float) -> None:
    assert float(number(value)) == value


def test_members_are_sorted_by_utf16_code_units() -> None:
    """RFC 8785 3.2.3: U+1F600 (surrogates D83D DE00) comes before U+FB33."""
    text = '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7}'
    found = canonicalize(text.encode()).decode()
    assert found == '{"\\r":2,"1":4,"\x80":6,"ö":7,"€":1,"😀":5,"\ufb33":3}'


def test_strings_have_the_fewest_escapes() -> None:
    text = '"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/\\b\\t\\u007f"'
    wanted = '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\t\x7f"'
    assert canonicalize(text.encode()).decode() == wanted


def test_the_example_of_the_rfc() -> None:
    text = rb"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    wanted = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonicalize(text).decode() == wanted


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
)


@given(VALUES)
def test_it_stands_still_and_means_the_same(value: object) -> None:
    found = canonical(value)
    assert json.loads(found, parse_int=float) == value
    assert canonicalize(found) == found
    assert canonicalize(json.dumps(value, indent=3).encode()) == found


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (b"", "Expecting value"),
        (b"{'a':1}", "Expecting property name"),
        (b"[1,]", "Expecting value|Illegal trailing comma"),
        (b'{"a":1,"a":2}', "two members of one name"),
        (b'{"a":1,"\\u0061":2}', "two members of one name"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\udc00":1}', "half of a surrogate pair"),
        (b"NaN", "no number of JSON"),
        (b"[-Infinity]", "no number of JSON"),
        (b"1e400", "no number of JSON"),
        (b"1" * 400, "beyond what a double holds"),
        (b'"\xff"', "utf-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'"a\nb"', "control character"),
    ],
)
def test_what_is_no_i_json_is_refused(text: bytes, cause: str) -> None:
    with pytest.raises(JcsError, match=cause):
        canonicalize(text)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(JcsError, match="a bytes has no JSON form"):
        canonical({"a": b""})
