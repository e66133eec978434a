"""Which table of measurements stands in this file or folder, and which profile was named?"""

import csv
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from flyball.dialects import benchlog
from flyball.dialects.profiles import profile
from flyball.model.profile import EngineLimits, Profile
from flyball.sim.physics import profile_of

ROWS_MAX = 2_000_000
_ENDINGS = (".csv", ".csv.gz", ".json", ".jsonl")


class CannotRead(ValueError):
    """The file cannot be used; the message names it and the next step."""


def read_table(place: Path) -> tuple[Path, list[Mapping[str, Any]]]:
    """The table at a file, or the largest one in a folder that has a known layout.

    Raises CannotRead if there is none, or it is broken, empty or too long.
    """
    if place.is_file():
        return place, _rows(place)
    found = [one for one in sorted(place.iterdir()) if one.name.endswith(_ENDINGS)]
    for file in sorted(found, key=lambda one: one.stat().st_size, reverse=True):
        rows = _rows(file)
        try:
            benchlog.kind_of(rows[0])
        except benchlog.BenchError:
            continue
        return file, rows
    raise CannotRead(
        f"{place}: no table with a known layout among {len(found)} files ({', '.join(_ENDINGS)}); "
        "docs/reference/validate.md lists the layouts"
    )


def _rows(file: Path) -> list[Mapping[str, Any]]:
    try:
        with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as stream:
            if ".csv" in file.name:
                found: list[Any] = []
                for row in csv.DictReader(stream):
                    found.append(row)
                    if len(found) > ROWS_MAX:
                        raise CannotRead(f"{file}: more than {ROWS_MAX:,} rows; give a part of it")
            elif file.suffix == ".jsonl":
                found = [json.loads(line) for line in stream if line.strip()]
            else:
                body = json.load(stream)
                found = body if isinstance(body, list) else [body]
    except (OSError, ValueError, EOFError) as error:
        raise CannotRead(f"{file}: {error}") from None
    if not found or not all(isinstance(row, Mapping) for row in found):
        raise CannotRead(f"{file}: holds no rows of named columns")
    return found


def start_profile(text: str, seqs_max: int | None, step_tokens_max: int | None) -> Profile:
    """A profile by catalogue name, JSON file, or ACCELERATOR:MODEL:COUNT:PRECISION:ENGINE.

    Raises ValueError with the next step if there is none.
    """
    if text.endswith(".json"):
        try:
            found = msgspec.json.decode(Path(text).read_bytes(), type=Profile)
        except (OSError, msgspec.MsgspecError) as error:
            raise CannotRead(f"{text}: {error}") from None
    elif ":" in text:
        found = _from_sheets(text)
    else:
        found = profile(text)
    limits = EngineLimits(
        seqs_max or found.limits.seqs_max,
        step_tokens_max or found.limits.step_tokens_max,
        found.limits.kv_tokens_max,
        found.limits.block_tokens,
    )
    return replace(found, limits=limits)


def _from_sheets(text: str) -> Profile:
    parts = text.split(":")
    defaults = ("", "", "1", "bf16", "vllm")
    chip, model, count, precision, engine = (*parts, *defaults[len(parts) :])[:5]
    if not count.isdigit() or int(count) < 1:
        raise CannotRead(f"{text}: {count!r} is no number of accelerators")
    return profile_of(chip, model, int(count), precision, engine)
