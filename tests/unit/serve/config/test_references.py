"""Is every name that points nowhere found, and every name or URL given twice?"""

import pytest

from flyball.serve.config.references import declared, is_url
from flyball.serve.config.text import parse
from support.configs import changed, faults

URL = '"http://127.0.0.1:8101"'


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("site: near", "site: naer", ["error pools.small.site", "Did you mean 'near'?"]),
        ("classes: [talk]", "classes: [tlak]", ["principals.ann.classes[0]", "'talk'"]),
        ("classes: [talk]", "models: [x]", ["no model in any pool named 'x'", "'chat', 'm'"]),
        ("classes: [talk]", "default_class: tolk", ["default_class", "Did you mean 'talk'?"]),
        (
            "classes: [talk]",
            "classes: [talk], default_class: bulk",
            ["'bulk' is not among this principal's classes"],
        ),
        ("models: [m]", "models: [m, m]", ["'m' stands twice"]),
        (
            "ttft_ms: 900",
            "jurisdictions: [NO, no]",
            ["warning classes.talk.jurisdictions[1]", "'NO'"],
        ),
        (URL, f"[{URL}, {URL}]"[1:-1], ["belongs to pools.small.endpoints[0] already"]),
        (URL, '"http://127.0.0.1:8102"', ["the URL 'http://127.0.0.1:8102' belongs to"]),
        (URL, '{url: "http://q", name: big-0}', ["the name 'big-0' belongs to"]),
    ],
)
def test_a_name_that_points_nowhere_is_told(old: str, new: str, told: list[str]) -> None:
    text = "\n".join(faults((old, new)))
    for words in told:
        assert words in text, text


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h",
        "h:80",
        "http://",
        "http://h:0",
        "http://h:99999",
        "http://u:p@h",
        "http://h/?q=1",
        "http://h/#f",
        "http://h /",
        "http://[::1",
    ],
)
def test_a_bad_url_is_told(url: str) -> None:
    document = parse("a: 1", "f")
    assert not is_url(document, ("a",), url)
    assert "http://HOST:PORT" in document.errors[0].next_step


@pytest.mark.parametrize("url", ["http://h", "https://h:8443/base", "http://[::1]:80"])
def test_a_good_url_is_silent(url: str) -> None:
    document = parse("a: 1", "f")
    assert is_url(document, ("a",), url)
    assert document.errors == []


def test_names_are_gathered_from_faulty_sections_too() -> None:
    names = declared(parse(changed(("site: near", "sight: near")), "f").data)
    assert names.models == {"m", "chat"}
    assert names.sites == {"near", "far"}
    assert names.jurisdictions == {"NO", "US"}
    assert declared({"sites": 3, "pools": {"a": {"models": [1]}}}).models == frozenset()
