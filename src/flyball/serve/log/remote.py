"""How is a log read that stands behind an HTTP address (C2SP tlog-tiles), one file at a time?"""

import http.client
from urllib.parse import urlsplit

from flyball.ledger.tiles import ENTRY_BYTES_MAX, TILE_WIDTH
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

ANSWER_S_MAX: Seconds = 30.0
FILE_BYTES_MAX = TILE_WIDTH * (ENTRY_BYTES_MAX + 2)
TRIES = 3
_ABSENT = (404, 403, 410)  # object storage answers 403 for what is not there


class RemoteLog:
    """A log under `url`, read over one connection that is kept open."""

    def __init__(self, url: str, limit_s: Seconds = ANSWER_S_MAX) -> None:
        self._url = url.rstrip("/")
        parts = urlsplit(self._url)
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        if parts.scheme not in kinds or not parts.hostname:
            raise LedgerError(f"{url} is no http:// or https:// address of a log.")
        self._path = parts.path
        self._wire = kinds[parts.scheme](parts.hostname, parts.port, timeout=limit_s)

    def read(self, path: str) -> bytes | None:
        """A file of the log, or None if there is none. Raises LedgerError if it cannot be had."""
        problem: Exception | None = None
        for _ in range(TRIES):
            try:
                return self._ask(path)
            except (OSError, http.client.HTTPException) as error:  # also a connection gone idle
                problem = error
                self._wire.close()
        raise LedgerError(
            f"{self._url}/{path} cannot be read: {problem or type(problem).__name__}. "
            "Check the address and that the log is served there."
        )

    def close(self) -> None:
        """Close the connection."""
        self._wire.close()

    def _ask(self, path: str) -> bytes | None:
        self._wire.request("GET", f"{self._path}/{path}", headers={"accept-encoding": "identity"})
        answer = self._wire.getresponse()
        data = answer.read(FILE_BYTES_MAX + 1)
        if answer.status in _ABSENT:
            return None
        if answer.status != 200 or len(data) > FILE_BYTES_MAX:
            self._wire.close()
            raise LedgerError(
                f"{self._url}/{path} was answered with {answer.status} and {len(data)} bytes. "
                "Check the address and that the log is served there."
            )
        return data
