"""How does a small file take the place of an old one, whole and durable, whatever kills us?"""

import os
from pathlib import Path

from flyball.serve.log.wal import sync_folder, write_all


def replace_durably(path: Path, data: bytes) -> None:
    """Write beside it, sync, rename, sync the folder. OSError: the old file stands as it was."""
    fresh = path.with_name(f".{path.name}.new")
    file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
    try:
        write_all(file, data, 0)
        os.fsync(file)
    finally:
        os.close(file)
    os.replace(fresh, path)
    sync_folder(path.parent)
