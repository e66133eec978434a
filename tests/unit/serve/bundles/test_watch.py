"""Is the configuration read again when a bundle's source changes or a bundle expires?"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from flyball.serve.bundles import watch
from flyball.serve.bundles.desk import Desk
from flyball.serve.bundles.registry import push
from flyball.serve.bundles.watch import Watch
from flyball.serve.config import Config
from support.bundles import NOW, bundle, section
from support.configs import config
from support.registry import registry_server

END = "principals:"


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.01)


def played(made: Config, steps: list[Callable[[], None]], at: Callable[[], float]) -> list[int]:
    """How often a read was asked for, before and after each step."""
    asked = 0

    def request() -> None:
        nonlocal asked
        asked += 1

    async def run() -> list[int]:
        found = Watch(lambda: made, at, request)
        found.start()
        counts = []
        for step in [lambda: None, *steps]:
            step()
            await asyncio.sleep(0.3)
            counts.append(asked)
        await found.stop()
        return counts

    return asyncio.run(run())


def with_source(folder: Path, source: object, **more: object) -> Config:
    return config((END, section(str(source), poll_s=0.02, **more) + END), folder=folder)


def test_a_file_that_changes_goes_or_comes(tmp_path: Path) -> None:
    file = tmp_path / "work.tar"
    file.write_bytes(b"one")
    steps = [lambda: file.write_bytes(b"other"), file.unlink, lambda: file.write_bytes(b"third")]
    assert played(with_source(tmp_path, file), steps, lambda: NOW) == [1, 2, 2, 3]


def test_a_registry_is_asked(tmp_path: Path) -> None:
    with registry_server() as found:
        place = found.place("a:1")
        push(place, bundle().encode())
        step = lambda: push(place, bundle(version=2).encode())  # noqa: E731
        assert played(with_source(tmp_path, place), [step], lambda: NOW) == [1, 2]


def test_where_no_looking_is_wanted_none_is_done(tmp_path: Path) -> None:
    file = tmp_path / "work.tar"
    file.write_bytes(b"one")
    made = config((END, section(file, poll_s=0) + END), folder=tmp_path)
    assert played(made, [lambda: file.write_bytes(b"other")], lambda: NOW) == [0, 0]


def test_a_bundle_that_expires_is_looked_at_once(tmp_path: Path) -> None:
    file = tmp_path / "work.tar"
    file.write_bytes(bundle(expires="2027-01-20T00:00:00Z").encode())
    text = section(file, poll_s=0)
    made = Desk(lambda: NOW).resolve(config((END, text + END), folder=tmp_path))
    clock = [NOW]
    step = lambda: clock.append(made.authority.policies[0].expires_at)  # noqa: E731
    assert played(made, [step, lambda: None], lambda: clock[-1]) == [0, 1, 1]
