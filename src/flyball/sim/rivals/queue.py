"""Which of the requests that a gateway holds is next?"""

from flyball.sim.rivals.router import Ask


class Queue:
    """Bands of strict priority, the highest first; in a band, first come, first served."""

    def __init__(self) -> None:
        self._bands: dict[int, dict[str, Ask]] = {}
        self._band_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._band_of)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._band_of

    def asks(self) -> list[Ask]:
        """All of them, in the order in which they are due."""
        return [ask for band in sorted(self._bands, reverse=True) for ask in self._of(band)]

    def bands(self) -> list[int]:
        """The priorities that wait now, highest first."""
        return sorted(self._bands, reverse=True)

    def push(self, ask: Ask, band: int) -> None:
        """Behind all others of its band."""
        self._bands.setdefault(band, {})[ask.request_id] = ask
        self._band_of[ask.request_id] = band

    def first(self) -> Ask | None:
        """The next one, which stays; None = nobody waits."""
        if not self._bands:
            return None
        return next(iter(self._bands[max(self._bands)].values()))

    def remove(self, request_id: str) -> bool:
        """Take it out; False = it was not there."""
        band = self._band_of.pop(request_id, None)
        if band is None:
            return False
        del self._bands[band][request_id]
        if not self._bands[band]:
            del self._bands[band]
        return True

    def _of(self, band: int) -> list[Ask]:
        return list(self._bands[band].values())
