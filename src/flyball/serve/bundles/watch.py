"""When is it time to look at the bundles again: something else at their source, or one expires?"""

import asyncio
from collections.abc import Callable

from flyball.serve.bundles.source import mark
from flyball.serve.config import Config
from flyball.units import Seconds

LOOK_S: Seconds = 0.5


class Watch:
    """Calls `request` when the configuration is to be read again. `config` = the one in force."""

    def __init__(
        self, config: Callable[[], Config], now: Callable[[], Seconds], request: Callable[[], None]
    ) -> None:
        self._config = config
        self._now = now
        self._request = request
        self._marks: dict[str, object] = {}
        self._due: dict[str, Seconds] = {}
        self._expired: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="bundles")

    async def stop(self) -> None:
        """End; a look under way is given up."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            authority = self._config().authority
            for one in authority.policies:
                if self._has_expired(one.digest, one.expires_at):
                    self._request()
            for settings in authority.bundles.values():
                if settings.poll_s and await self._has_changed(settings.source, settings.poll_s):
                    self._request()
            await asyncio.sleep(LOOK_S)

    def _has_expired(self, digest: str, expires_at: Seconds) -> bool:
        """True once."""
        is_over = 0 < expires_at <= self._now() and digest not in self._expired
        if is_over:
            self._expired.add(digest)
        return is_over

    async def _has_changed(self, source: str, poll_s: Seconds) -> bool:
        """The first look counts as one: what stood there may have changed since it was read."""
        clock = asyncio.get_running_loop().time()
        if clock < self._due.get(source, 0.0):
            return False
        self._due[source] = clock + poll_s
        found = await asyncio.to_thread(mark, source)
        if found is None or found == self._marks.get(source):
            return False
        self._marks[source] = found
        return True
