"""How is a latency predicted from a few inputs, learning from each answer? (Online ridge.)"""

import numpy as np


class Regression:
    """Least squares with an L2 penalty on `inputs` features and a constant, old answers fading by
    `memory` per answer; solved again each `every` answers. Predictions are never negative."""

    def __init__(self, inputs: int, ridge: float, memory: float, every: int = 16) -> None:
        size = inputs + 1
        self.seen = 0
        self._memory, self._every, self._ridge = memory, every, ridge
        self._scale = np.zeros(size)
        self._gram = np.zeros((size, size))
        self._moment = np.zeros(size)
        self._weights = np.zeros(size)

    def learn(self, features: np.ndarray, value: float) -> None:
        """One answer: its inputs, shape [inputs], and its latency."""
        row = np.append(features, 1.0)
        self._scale = np.maximum(self._scale, np.abs(row))
        self._gram = self._memory * self._gram + np.outer(row, row)
        self._moment = self._memory * self._moment + value * row
        self.seen += 1
        if self.seen % self._every == 0:
            self._solve()

    def _solve(self) -> None:
        # Inputs range from shares to thousands of tokens: the penalty is on scaled weights.
        scale = np.where(self._scale > 0.0, self._scale, 1.0)
        gram = self._gram / np.outer(scale, scale)
        gram[np.diag_indices_from(gram)] += self._ridge
        self._weights = np.linalg.solve(gram, self._moment / scale) / scale

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Latencies of shape [n] for inputs of shape [n, inputs]."""
        return np.maximum(0.0, features @ self._weights[:-1] + self._weights[-1])
