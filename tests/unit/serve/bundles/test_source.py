"""Is a bundle read from where it is said to be, and is a change seen?"""

from pathlib import Path

import pytest

from flyball.authority.bundles.archive import BUNDLE_BYTES_MAX, BundleError
from flyball.serve.bundles.registry import push
from flyball.serve.bundles.source import fetch, mark
from support.bundles import bundle
from support.registry import registry_server


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    file.write_bytes(b"one")
    before = mark(str(file))
    assert fetch(str(file)) == b"one" and mark(str(file)) == before
    file.write_bytes(b"other")
    assert mark(str(file)) != before


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert mark(str(tmp_path / "none")) is None
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(BundleError) as caught:
            fetch(str(path))
        assert caught.value.code == "unreachable" and str(path) in str(caught.value)


def test_a_huge_file_is_read_up_to_the_bound(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    with file.open("wb") as stream:
        stream.truncate(BUNDLE_BYTES_MAX * 4)
    assert len(fetch(str(file))) == BUNDLE_BYTES_MAX + 1


def test_a_registry() -> None:
    with registry_server() as found:
        place = found.place("acme/work:1")
        assert mark(place) is None
        push(place, bundle().encode())
        before = mark(place)
        assert fetch(place) == bundle().encode() and before
        push(place, bundle(version=2).encode())
        assert mark(place) not in (None, before)
