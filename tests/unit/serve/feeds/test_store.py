"""Are lines there after any kill, and is nothing there that was never whole?"""

from pathlib import Path

import pytest

from flyball.serve.feeds.store import FeedStore, StoreError


def lines(count: int) -> list[bytes]:
    return [b"%d " % number + b"x" * (number % 7) for number in range(1, count + 1)]


def test_lines_are_read_back_from_any_place(tmp_path: Path) -> None:
    store = FeedStore(tmp_path / "f" / "own.feed")
    store.append(lines(3))
    store.append(lines(50)[3:])
    assert store.count == 50 and list(store.lines()) == lines(50)
    for after in (0, 1, 49, 50, 60):
        found: list[bytes] = []
        while piece := store.read(after + len(found), bytes_max=20):
            assert sum(map(len, piece)) <= 40
            found += piece
        assert found == lines(50)[after:]
    store.close()
    assert list(FeedStore(store.path).lines()) == lines(50)


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_tail_without_its_end_is_cut_off_wherever_we_died(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "own.feed"
    whole = b"".join(line + b"\n" for line in lines(3))
    path.write_bytes(whole[:cut])
    store = FeedStore(path)
    kept = whole[:cut].count(b"\n")
    assert list(store.lines()) == lines(3)[:kept]
    store.append([b"next"])
    store.close()
    assert list(FeedStore(path).lines()) == [*lines(3)[:kept], b"next"]


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    import resource

    store = FeedStore(tmp_path / "own.feed")
    store.append([b"first"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OSError):
            store.append([b"y" * 200])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    assert store.path.read_bytes() == b"first\n"
    store.append([b"second"])
    assert list(store.lines()) == [b"first", b"second"]


def test_a_full_file_says_so(tmp_path: Path) -> None:
    store = FeedStore(tmp_path / "own.feed", entries_max=2)
    store.append([b"a", b"b"])
    with pytest.raises(StoreError, match="full"):
        store.append([b"c"])
    assert store.count == 2
