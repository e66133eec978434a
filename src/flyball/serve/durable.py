"""How does a small file come to be, or take an old one's place, whole and durable?"""

import os
from pathlib import Path

from flyball.serve.log.wal import sync_folder, write_all


def replace_durably(path: Path, data: bytes) -> None:
    """Write beside it, sync, rename, sync the folder. OSError: the old file stands as it was."""
    fresh = path.with_name(f".{path.name}.new")
    _write(fresh, data)
    os.replace(fresh, path)
    sync_folder(path.parent)


def create_durably(path: Path, data: bytes) -> bool:
    """The same where no file may be replaced, also by several processes at once: False if there is
    one, which stands as it was. OSError: there is none."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    _write(fresh, data)
    try:
        os.link(fresh, path)
    except FileExistsError:
        return False
    finally:
        fresh.unlink()
    sync_folder(path.parent)
    return True


def _write(fresh: Path, data: bytes) -> None:
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(file, data, 0)
        os.fsync(file)
    finally:
        os.close(file)
