"""Are segments removed after a sync, in order, and kept where that fails?"""

from pathlib import Path
from time import monotonic, sleep

from flyball.serve.log.seal import SEGMENTS_WAITING_MAX, Sealer, sync_file_system


def test_segments_go_once_all_is_synced(tmp_path: Path) -> None:
    segments = [tmp_path / f"{i}" for i in range(3)]
    sealer = Sealer(tmp_path)
    for segment in segments:
        segment.write_bytes(b"x")
        sealer.seal(segment)
    sealer.close()
    assert not any(segment.exists() for segment in segments)


def test_a_failure_holds_up_the_rest_and_close_does_not_wait_for_it(tmp_path: Path) -> None:
    sealer = Sealer(tmp_path)
    sealer.seal(tmp_path / "absent")  # cannot be removed
    waiting = [tmp_path / f"{i}" for i in range(SEGMENTS_WAITING_MAX)]
    for segment in waiting:
        segment.write_bytes(b"x")
        sealer.seal(segment)
    until = monotonic() + 0.2
    while monotonic() < until and sealer.has_room():
        sleep(0.01)
    assert not sealer.has_room()
    began = monotonic()
    sealer.close(timeout_s=5.0)
    assert monotonic() - began < 4.0
    assert all(segment.exists() for segment in waiting)


def test_sync_file_system(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    sync_file_system(tmp_path)
