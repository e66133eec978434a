"""Which loop's set-point begins to cause latency, by PCMCI of tigramite? Prints findings.

    PYTHON_WITH_TIGRAMITE docs/results/detect_pcmci.py SIGNALS.csv

ParCorr, two lags of a minute, the last two hours each half hour (Runge et al., Science Advances
5(11), 2019); a link that was not there in the first window and is there by p < 1e-6 is told.
"""

import csv
import json
import sys

import numpy as np
from tigramite import data_processing
from tigramite.independence_tests.parcorr import ParCorr
from tigramite.pcmci import PCMCI

WINDOW, EVERY, LAGS, SURE = 120, 30, 2, 1e-6


def links(table: np.ndarray, loops: list[str]) -> dict[str, float]:
    """Loops whose set-point moves latency (the last column), with their p."""
    frame = data_processing.DataFrame(table, var_names=[*loops, "latency"])
    found = PCMCI(dataframe=frame, cond_ind_test=ParCorr(), verbosity=0)
    chances = found.run_pcmci(tau_max=LAGS, pc_alpha=0.05)["p_matrix"]
    least = {loop: float(chances[i, len(loops), 1:].min()) for i, loop in enumerate(loops)}
    return {loop: chance for loop, chance in least.items() if chance < SURE}


def main() -> None:
    with open(sys.argv[1], newline="") as file:
        rows = list(csv.DictReader(file))
    ends = ".setpoint"
    columns = [name for name in rows[0] if name.startswith("loop.") and name.endswith(ends)]
    every = [*columns, "plant.latency_s"]
    width = round(60.0 / (float(rows[1]["time_s"]) - float(rows[0]["time_s"])))
    values = np.array([[float(row[name]) for name in every] for row in rows])
    minutes = values[: len(values) // width * width].reshape(-1, width, len(every)).mean(axis=1)
    chance = np.random.default_rng(0)
    minutes += 1e-9 * chance.normal(size=minutes.shape)  # a constant column has no correlation
    loops = [name.removeprefix("loop.").removesuffix(ends) for name in columns]
    known: set[str] | None = None
    for end in range(WINDOW, len(minutes), EVERY):
        found = links(minutes[end - WINDOW : end], loops)
        fresh = sorted(set(found) - (known or set()), key=lambda loop: found[loop])
        if known is not None and fresh:
            print(json.dumps({"at": end * 60.0, "kind": "pcmci", "loops": fresh}))
        known = set(found) | (known or set())


if __name__ == "__main__":
    main()
