"""Which lines does an operator get to read on stderr, and how is a flood of them held back?

One line per notice: `flyball: LEVEL CODE: MESSAGE`. Of each code at most `BURST` lines per
`WINDOW_S` are printed; what was held back is told in one line when the window ends.
"""

import sys
from collections.abc import Callable
from typing import TextIO

from flyball.governor.commands import Notice
from flyball.units import Seconds

WINDOW_S: Seconds = 5.0
BURST = 5
CODES_MAX = 256


class NoticeLog:
    """Prints notices; `clock` is monotonic. `on_notice` sees every one, held back or not."""

    def __init__(
        self,
        clock: Callable[[], Seconds],
        on_notice: Callable[[Notice], None],
        out: TextIO | None = None,
    ) -> None:
        self._clock = clock
        self._on_notice = on_notice
        self._out = out or sys.stderr
        self._windows: dict[str, tuple[Seconds, int]] = {}

    def say(self, notice: Notice) -> None:
        """Print it, unless its code had its share of this window."""
        self._on_notice(notice)
        at = self._clock()
        begun, count = self._windows.get(notice.code, (at, 0))
        if at - begun >= WINDOW_S:
            self._tell_held_back(notice.code, count)
            begun, count = at, 0
        if len(self._windows) >= CODES_MAX and notice.code not in self._windows:
            self._windows.clear()
        self._windows[notice.code] = (begun, count + 1)
        if count < BURST:
            self._print(f"{notice.level} {notice.code}: {notice.message}")

    def close(self) -> None:
        """Tell what was held back, at the end."""
        for code, (_, count) in self._windows.items():
            self._tell_held_back(code, count)
        self._windows.clear()

    def _tell_held_back(self, code: str, count: int) -> None:
        if count > BURST:
            self._print(f"info {code}: {count - BURST} more like this")

    def _print(self, line: str) -> None:
        try:
            print(f"flyball: {line}", file=self._out, flush=True)
        except (OSError, ValueError):  # stderr is closed or full: the gateway serves on
            self._out = open_null()


def open_null() -> TextIO:
    """Where lines go when stderr can take no more."""
    import os

    return open(os.devnull, "w")
