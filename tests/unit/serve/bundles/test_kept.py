"""Is what was in force still known after whatever happened to us or to the file?"""

from pathlib import Path

import pytest

from flyball.authority.bundles.archive import BundleError
from flyball.serve.bundles.kept import Kept
from support.bundles import bundle


def test_the_newest_is_kept_for_each_role(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "a" / "b")
    assert kept.read("workload") is None
    kept.write("workload", bundle().encode())
    kept.write("workload", bundle(version=2).encode())
    kept.write("site", bundle(version=9).encode())
    found = Kept(tmp_path / "a" / "b")
    assert found.read("workload") == bundle(version=2)
    assert found.read("site") == bundle(version=9)
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == [
        "site.tar", "workload.tar",
    ]  # fmt: skip


def test_a_write_cut_short_leaves_the_old_one(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    kept.write("site", bundle().encode())
    (tmp_path / ".site.tar.new").write_bytes(bundle(version=2).encode()[:100])
    assert kept.read("site") == bundle()


def test_an_altered_file_is_no_empty_one(tmp_path: Path) -> None:
    (tmp_path / "site.tar").write_bytes(b"")
    with pytest.raises(BundleError) as caught:
        Kept(tmp_path).read("site")
    assert caught.value.code == "kept" and "Delete it" in caught.value.next_step


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    kept = Kept(tmp_path / "file")
    for act in (lambda: kept.write("site", b""), lambda: kept.read("site")):
        with pytest.raises(BundleError) as caught:
            act()
        assert caught.value.code == "kept"
