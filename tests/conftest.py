"""Shared fixtures: where the real data sets lie, if they are here at all."""

import os
from pathlib import Path

import pytest


def data_root() -> Path | None:
    """The folder of real data sets: $FLYBALL_DATA, else ../shared/data beside the checkout."""
    named = os.environ.get("FLYBALL_DATA")
    folder = Path(named) if named else Path(__file__).parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The data folder; the test is skipped, with the reason, where it is absent."""
    folder = data_root()
    if folder is None:
        pytest.skip("no real data here: set FLYBALL_DATA to the folder of data sets")
    return folder
