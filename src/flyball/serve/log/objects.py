"""How is a log read from, and a file of it kept in, object storage?

Everything goes through obstore: `s3://`, `gs://`, `az://` and `file:///` by URL, with credentials
from the environment as each cloud's own tools take them.
"""

from typing import TYPE_CHECKING

from flyball.serve.log.writer import LedgerError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

SCHEMES = ("s3://", "s3a://", "gs://", "az://", "abfss://", "file:///", "memory:///")


class ObjectLog:
    """A log under `url`, or in a store that is given. Raises LedgerError for a URL that is none."""

    def __init__(self, url: str, store: "ObjectStore | None" = None) -> None:
        self.url = url.rstrip("/")
        self._store = store or _open(url)

    def read(self, path: str) -> bytes | None:
        """A file of the log, or None if there is none. Raises LedgerError if it cannot be had."""
        from obstore import get
        from obstore.exceptions import BaseError

        try:
            return bytes(get(self._store, path).bytes())
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as error:
            raise self._fault(path, "read", error) from None

    def write(self, path: str, data: bytes) -> None:
        """Put a file in its place, whole. Raises LedgerError if the storage refuses."""
        from obstore import put
        from obstore.exceptions import BaseError

        try:
            put(self._store, path, data)
        except (BaseError, OSError) as error:
            raise self._fault(path, "written", error) from None

    def remove(self, paths: list[str]) -> None:
        """Delete files; those that are gone already are no fault."""
        from obstore import delete
        from obstore.exceptions import BaseError

        for path in paths:
            try:
                delete(self._store, path)
            except FileNotFoundError:
                continue
            except (BaseError, OSError) as error:
                raise self._fault(path, "removed", error) from None

    def below(self, prefix: str) -> list[str]:
        """The paths of all files below a folder. Raises LedgerError if they cannot be listed."""
        from obstore import list as list_all
        from obstore.exceptions import BaseError

        try:
            return [one["path"] for page in list_all(self._store, prefix) for one in page]
        except (BaseError, OSError) as error:
            raise self._fault(prefix, "listed", error) from None

    def _fault(self, path: str, what: str, error: Exception) -> LedgerError:
        cause = str(error).split("\n")[0][:300]
        return LedgerError(
            f"{self.url}/{path} cannot be {what}: {cause}. "
            "Check the address, the credentials and that the storage can be reached."
        )


def _open(url: str) -> "ObjectStore":
    try:
        from obstore.exceptions import BaseError
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise LedgerError(
            "Object storage needs an extra: pip install 'flyball[governance]'."
        ) from None
    if not url.startswith(SCHEMES):
        raise LedgerError(f"{url} is no address of object storage ({', '.join(SCHEMES)}).")
    try:
        return from_url(url)
    except (BaseError, ValueError, OSError) as error:
        raise LedgerError(f"{url} is no address of object storage: {error}.") from None
