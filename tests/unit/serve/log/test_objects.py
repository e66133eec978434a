"""Is object storage read and written by path, and each fault told with its place?"""

from pathlib import Path

import pytest
from obstore.store import MemoryStore

from flyball.serve.log.objects import ObjectLog
from flyball.serve.log.writer import LedgerError


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_there_and_back(tmp_path: Path, kind: str) -> None:
    store = MemoryStore() if kind == "memory" else None
    log = ObjectLog(f"file://{tmp_path}", store)
    assert log.read("tile/0/000") is None
    log.write("tile/0/000.p/3", b"abc")
    log.write("tile/0/000", b"whole")
    assert log.read("tile/0/000") == b"whole" and log.below("tile/0/000.p/") == ["tile/0/000.p/3"]
    log.remove(["tile/0/000.p/3", "tile/0/never"])
    assert log.below("tile/0/000.p/") == [] and log.below("") == ["tile/0/000"]


def test_a_fault_names_the_place(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder must be")
    log = ObjectLog(f"file://{tmp_path}")
    with pytest.raises(LedgerError, match=r"/a/b cannot be written: .*Check the address"):
        log.write("a/b", b"")


@pytest.mark.parametrize("url", ["nonsense", "ftp://x/y", "http://x"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(LedgerError, match="no address of object storage"):
        ObjectLog(url)
