"""Recorded faults change the paths of requests; minutes without one do not."""

import csv
import gzip
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from flyball.diagnosis.drift.fingerprint import permuted
from flyball.diagnosis.drift.pathdrift import compare


def minutes(folder: Path) -> dict[str, Counter]:
    found: dict[str, Counter] = defaultdict(Counter)
    with gzip.open(folder / "2022-08-22_paths.csv.gz", "rt", newline="") as file:
        for row in csv.DictReader(file):
            found[row["minute"]][f"op:{row['op']}", f"sig:{row['sig']}"] += int(row["n"])
    return found


def test_minutes_of_one_day_do_not_differ_from_each_other(real_data: Path):
    slots = list(minutes(real_data / "nezha_paths").values())
    found = compare(slots[::2], slots[1::2], np.random.default_rng(0))
    assert found.chance > 0.05, "seed 0"


def test_two_versions_of_one_model_are_told_apart(real_data: Path):
    csv.field_size_limit(10**7)
    lengths: dict[str, list[list[float]]] = defaultdict(list)
    path = real_data / "llmdrift" / "PRIME_FULL_EVAL.csv.gz"
    with gzip.open(path, "rt", newline="") as file:
        for row in csv.DictReader(file):
            lengths[row["model"].split("/")[-1]].append([np.log1p(len(row["answer"]))])
    rng = np.random.default_rng(1)
    old, new = np.array(lengths["gpt-4-0314"]), np.array(lengths["gpt-4-0613"])
    assert permuted(old[:100], new[:100], rng)[0] < 0.01, "seed 1"
    order = rng.permutation(len(old))
    assert permuted(old[order[:100]], old[order[100:200]], rng)[0] > 0.01, "seed 1"
