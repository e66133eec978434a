"""What became of every call of a run, column by column?"""

from array import array
from hashlib import sha256
from typing import Any

import numpy as np

from flyball.model.request import RequestClass
from flyball.sim.exchange import Call, End
from flyball.units import Tokens

_CHUNK = 4096
ENDS: tuple[End, ...] = ("served", "refused", "failed", "gave-up", "unfinished")
_END_INDEX = {end: i for i, end in enumerate(ENDS)}
# Column -> its type code (array module): what is kept of every call.
COLUMNS = {
    "number": "q",
    "class_index": "h",
    "end": "b",
    "in_time": "b",
    "tries": "h",
    "endpoint": "h",
    "sent_at_s": "d",
    "ttft_s": "d",
    "tpot_s": "d",
    "e2e_s": "d",
    "input_tokens": "q",
    "cached_tokens": "q",
    "output_tokens": "q",
    "program": "q",
    "step": "q",
    "repeat": "h",
    "agent_tries": "h",
    "gateway_retries": "h",
    "kept_ratio": "d",
    "wanted_tokens": "q",
}


class Outcomes:
    """Every call that ended, column by column."""

    def __init__(self, classes: tuple[RequestClass, ...]) -> None:
        self.classes = classes
        self._index = {klass.name: i for i, klass in enumerate(classes)}
        self._columns: dict[str, array[Any]] = {name: array(kind) for name, kind in COLUMNS.items()}
        self._latest: list[tuple[Any, ...]] = []
        self.delivered: Tokens = 0

    def __len__(self) -> int:
        return len(self._columns["number"]) + len(self._latest)

    def ended(self, call: Call) -> None:
        """Keep what became of it."""
        served = call.end == "served"
        row = (
            call.number,
            self._index[call.klass.name],
            _END_INDEX[call.end],
            call.is_in_time,
            call.tries,
            call.endpoint,
            call.sent_at,
            call.ttft_s if served else 0.0,
            call.tpot_s if served else 0.0,
            call.e2e_s,
            call.row.input_tokens,
            call.cached_tokens,
            call.output_tokens,
            *_lineage(call),
            call.agent_tries,
            call.gateway_retries,
            call.kept_ratio,
            call.row.output_tokens,
        )
        self.delivered += call.output_tokens
        self._latest.append(row)
        if len(self._latest) >= _CHUNK:
            self._fold()

    def _fold(self) -> None:
        """Rows to columns, many at a time: a row costs ten times a column's entries."""
        for column, values in zip(
            self._columns.values(), zip(*self._latest, strict=True), strict=False
        ):
            column.extend(values)
        self._latest.clear()

    def arrays(self) -> dict[str, np.ndarray]:
        """The columns in the order of the calls' numbers."""
        self._fold()
        made = {name: np.array(column) for name, column in self._columns.items()}
        order = np.argsort(made["number"], kind="stable")
        return {name: column[order] for name, column in made.items()}


def _lineage(call: Call) -> tuple[int, int, int]:
    one = call.lineage
    return (one.program, one.step, one.repeat) if one else (-1, 0, 0)


def digest(columns: dict[str, np.ndarray]) -> str:
    """SHA-256 of all columns: equal for runs that are equal in every call."""
    hashed = sha256()
    for name in COLUMNS:
        hashed.update(columns[name].tobytes())
    return hashed.hexdigest()
