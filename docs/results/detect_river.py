"""What do ADWIN and Page-Hinkley of river tell of an incident's mean latency? Prints findings.

    PYTHON_WITH_RIVER docs/results/detect_river.py adwin|page-hinkley SIGNALS.csv

Minutes of latency in standard deviations of the first hour, both detectors with the defaults of
river. It reads the table as any program may, and nothing of Flyball.
"""

import csv
import json
import statistics
import sys

from river import drift

NORMAL_MIN = 60


def main() -> None:
    name, path = sys.argv[1:]
    with open(path, newline="") as file:
        rows = [
            (float(row["time_s"]), float(row["plant.latency_s"])) for row in csv.DictReader(file)
        ]
    width = round(60.0 / (rows[1][0] - rows[0][0]))
    whole = [rows[at : at + width] for at in range(0, len(rows), width)]
    minutes = [(some[-1][0], statistics.fmean(value for _, value in some)) for some in whole]
    normal = [value for _, value in minutes[:NORMAL_MIN]]
    middle, spread = statistics.fmean(normal), max(statistics.stdev(normal), 1e-9)
    detector = drift.ADWIN() if name == "adwin" else drift.PageHinkley()
    for at, value in minutes:
        detector.update((value - middle) / spread)
        if detector.drift_detected:
            print(json.dumps({"at": at, "kind": name}))


if __name__ == "__main__":
    main()
