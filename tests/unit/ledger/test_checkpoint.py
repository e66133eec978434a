"""Are checkpoints those of C2SP, byte for byte, and are false ones refused?"""

import pytest

from flyball.ledger.checkpoint import Checkpoint, CheckpointError, parse, parse_size

# The example of C2SP tlog-checkpoint.
EXAMPLE = """example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1g\
GzGku9nTo+zyWE+xeMcTOAYQ8=
"""


def test_the_example_checkpoint() -> None:
    found = parse(EXAMPLE)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert found.text() == EXAMPLE.split("\n\n")[0] + "\n"
    assert parse(found.text()) == found


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "three lines"),
        ("a\n1\n", "three lines"),
        ("\n1\nx\n", "three lines"),
        ("a\n01\nx\n", "not a decimal"),
        ("a\n-1\nx\n", "not a decimal"),
        ("a\n1\n!!\n", "not base64"),
        ("a\n1\nAAAA\n", "3 bytes"),
        ("a\n1\nAAAA", "three lines"),
        ("a\n1\n\nAAAA\n", "three lines"),
        ("a\n12345678901234567890\nAAAA\n", "not a decimal"),
    ],
)
def test_what_is_no_checkpoint_is_named(text: str, cause: str) -> None:
    with pytest.raises(CheckpointError, match=cause):
        parse(text)


def test_the_root_must_be_canonical_base64() -> None:
    text = Checkpoint("a", 1, b"\xff" * 32).text()
    changed = text.replace("/8=", "/9=")
    assert changed != text
    with pytest.raises(CheckpointError, match="canonical"):
        parse(changed)


def test_extension_lines_are_let_pass_and_not_kept() -> None:
    found = parse(EXAMPLE.replace("jxq2I=\n\n", "jxq2I=\nmore\n\n"))
    assert found == parse(EXAMPLE)


def test_what_a_log_signed_is_the_text_before_the_last_blank_line() -> None:
    """A text with a blank line in it is no checkpoint, whatever stands before that line."""
    first = EXAMPLE.split("\n\n")[0]
    with pytest.raises(CheckpointError, match="three lines"):
        parse(f"{first}\n\nmore\n\n— a AAAAAAAA\n")


@pytest.mark.parametrize("text", ["", "01", "+1", "1 ", "\u0661", "1\n"])
def test_a_size_is_plain_decimal(text: str) -> None:
    with pytest.raises(CheckpointError, match="not a decimal"):
        parse_size(text)
