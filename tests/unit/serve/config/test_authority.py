"""Are policies and keys read, checked at their place, and brought into the core's own terms?"""

from pathlib import Path

import pytest

from support.configs import config, faults

END = "principals:"
PERMIT = '@id("all") permit (principal, action, resource);\n'
KEY = "ed25519:" + "A" * 43
TEXT = f"""\
authority:
  policies:
    site: {{files: [site.cedar]}}
  roots: {{"1": "{KEY}"}}
  approvers: {{eve: "{KEY}"}}
  jurisdictions: {{DE: EU, FR: EU}}
  bound_data_classes: [special]
  feed_age_s: {{special: 3, public: 100}}
  skew_s: 1.5
  public_url: https://api.example.org/
"""


def folder_with(tmp_path: Path, text: str = PERMIT) -> Path:
    (tmp_path / "site.cedar").write_text(text)
    return tmp_path


def test_it_comes_into_the_configuration_and_the_policy(tmp_path: Path) -> None:
    made = config((END, TEXT + END), folder=folder_with(tmp_path))
    (site,) = made.authority.policies
    assert site.name == "site" and site.digest.startswith("sha256:")
    assert made.authority.roots == {"1": KEY}
    assert made.authority.public_url == "https://api.example.org"
    rules = made.policy.authority
    assert rules.bound_data_classes == ("special",) and rules.requires_mandate
    assert dict(rules.feed_age_s) == {"special": 3.0, "public": 100.0} and rules.skew_s == 1.5
    assert rules.jurisdictions == (("DE", "EU"), ("FR", "EU"))


def test_without_the_section_nothing_changes(tmp_path: Path) -> None:
    made = config(folder=tmp_path)
    assert made.authority.policies == () and not made.policy.authority.requires_mandate


def test_other_policies_make_another_configuration(tmp_path: Path) -> None:
    one = config((END, TEXT + END), folder=folder_with(tmp_path))
    two = config((END, TEXT + END), folder=folder_with(tmp_path, PERMIT + "// changed\n"))
    assert one.digest != two.digest
    assert one.authority.policies[0].digest != two.authority.policies[0].digest


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("site.cedar", "gone.cedar", "error authority.policies.site.files"),
        ("FR: EU", "EU: DE", "'EU' lies in itself"),
        (KEY, "ed25519:short", "error authority"),
        ('"1":', '"one":', "error authority"),
        ("skew_s: 1.5", "skew_s: -1", "skew_s"),
        ("public_url: https://api.example.org/", "", "warning authority.public_url"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new)
    found = "\n".join(faults((END, text + END), folder=folder_with(tmp_path)))
    assert told in found, found


def test_a_policy_that_reads_what_is_not_there_is_told_with_its_line(tmp_path: Path) -> None:
    bad = '@id("x") forbid (principal, action, resource)\nwhen { context.nonsense == 1 };\n'
    (found,) = faults((END, TEXT + END), folder=folder_with(tmp_path, bad))
    assert "authority.policies.site" in found and "site.cedar:2" in found
