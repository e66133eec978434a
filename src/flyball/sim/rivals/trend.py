"""What comes next in a series of level and trend? (A Kalman filter of two states.)"""

import numpy as np


class Trend:
    """State (level, trend), transition [[1, 1], [0, 1]], process noise diag(q_level, q_trend),
    measurement noise r (Harvey 1989, local linear trend). Before `points_min` values the last
    one is the answer."""

    def __init__(self, q_level: float, q_trend: float, r: float, points_min: int) -> None:
        self._move = np.array([[1.0, 1.0], [0.0, 1.0]])
        self._noise = np.diag([q_level, q_trend])
        self._r, self._points_min = r, points_min
        self._state = np.zeros(2)
        self._spread = np.eye(2)
        self._seen = 0

    def next(self, value: float) -> float:
        """Take one value in; the prediction of the one after it, never negative."""
        if self._seen == 0:
            self._state[0] = value
        self._seen += 1
        state = self._move @ self._state
        spread = self._move @ self._spread @ self._move.T + self._noise
        gain = spread[:, 0] / (spread[0, 0] + self._r)
        self._state = state + gain * (value - state[0])
        self._spread = spread - np.outer(gain, spread[0])
        if self._seen < self._points_min:
            return value
        return max(0.0, float(self._state.sum()))
