"""Which bundle was last in force here, whatever killed us since?

One file for each role, replaced whole: it is what is served from while the source is out of reach,
and its version is the newest that was ever seen, so that an older one is known for what it is.
"""

from pathlib import Path

from flyball.authority.bundles.archive import BundleError
from flyball.authority.bundles.bundle import Bundle, decode
from flyball.serve.durable import replace_durably


class Kept:
    """The folder of kept bundles."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, role: str) -> Bundle | None:
        """The newest bundle of that role; None = there was none.

        Raises BundleError if the file was altered: which versions were seen is not known then.
        """
        path = self._path(role)
        try:
            return decode(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BundleError("kept", f"{path}: {error.strerror or error}") from None
        except BundleError as fault:
            step = "Delete it to start anew: any version will be taken then."
            raise BundleError("kept", f"{path} was altered: {fault}", step) from None

    def write(self, role: str, data: bytes) -> None:
        """Keep it, durably. Raises BundleError if the folder cannot be written."""
        path = self._path(role)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_durably(path, data)
        except OSError as error:
            step = "authority.bundle_folder names a folder that can be written."
            raise BundleError("kept", f"{path}: {error.strerror or error}", step) from None

    def _path(self, role: str) -> Path:
        return self._folder / f"{role}.tar"
