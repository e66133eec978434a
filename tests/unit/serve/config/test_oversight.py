"""Does the fleet file say who may stop and revoke, and is what cannot be told apart refused?"""

import pytest

from support.configs import config, faults

END = "principals:"
ONE, TWO, THREE = ("ed25519:" + letter * 43 for letter in "ABC")
TEXT = f"""\
oversight:
  site: north
  key: site.key
  people:
    ada: {{role: admin, key: "{ONE}"}}
    bob: {{role: operator, key: "{TWO}"}}
  feeds:
    south: {{url: "http://10.0.0.2:8090", key: "{THREE}"}}
  issuers:
    - {{issuer: "https://idp", audience: flyball, keys: idp.json}}
  two_persons: [resume, "stop all"]
"""


def test_it_comes_into_the_configuration_with_absolute_paths() -> None:
    made = config((END, TEXT + END)).oversight
    assert made is not None
    assert (made.key, made.folder) == ("/nowhere/site.key", "/nowhere/oversight")
    assert made.issuers[0].keys == "/nowhere/idp.json"
    assert made.people["ada"].role == "admin" and made.port == 8090
    assert config((END, TEXT + END)).policy.authority.feeds == ("south",)
    assert config().oversight is None and config().policy.authority.feeds == ()
    assert config((END, TEXT + END)).digest != config().digest


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (TWO, ONE, "people.ada has this key too"),
        ("south:", "north:", "this site's own name"),
        ("http://10.0.0.2:8090", "10.0.0.2", "a URL is needed"),
        ("bob:", "south:", "a site has this name"),
        ("role: admin", "role: boss", "role"),
        (ONE, "ed25519:short", "key"),
        ("resume,", "reboot,", "two_persons"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(old: str, new: str, told: str) -> None:
    assert old in TEXT
    found = "\n".join(faults((END, TEXT.replace(old, new) + END)))
    assert "error oversight" in found and told in found
