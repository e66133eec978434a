"""Where on the common grid of loads does a contestant begin to fail? (By bisection, few runs.)

Supposes that more load is never served better; where that is false, one edge of several is found.
The step found is the largest tried that passed with the next one failing.
"""

from collections.abc import Callable, Iterator

LOWEST, HIGHEST = -120, 120  # 0.093 to 10.8 times the mix
_FIRST_STRIDE = 4


def edge(passes: Callable[[int], bool], start: int) -> int:
    """The last step that passes, found from a guess; LOWEST - 1 if none does, at most HIGHEST."""
    low, high = _bracket(passes, max(LOWEST, min(HIGHEST, start)))
    while high - low > 1:
        middle = (low + high) // 2
        if passes(middle):
            low = middle
        else:
            high = middle
    return low


def _bracket(passes: Callable[[int], bool], start: int) -> tuple[int, int]:
    """(a step that passes, a step above it that fails), by strides that double."""
    if passes(start):
        low = start
        for step in _strides(start, 1):
            if not passes(step):
                return low, step
            low = step
        return low, low + 1
    high = start
    for step in _strides(start, -1):
        if passes(step):
            return step, high
        high = step
    return LOWEST - 1, LOWEST


def _strides(start: int, sign: int) -> Iterator[int]:
    stride, step, end = _FIRST_STRIDE, start, HIGHEST if sign > 0 else LOWEST
    while step != end:
        step = max(LOWEST, min(HIGHEST, step + sign * stride))
        stride *= 2
        yield step
