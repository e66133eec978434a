"""Does a good file come into force, a bad one change nothing, and a touched one not count?"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from flyball.serve.config import Config, load
from flyball.serve.process.reload import Reloader, fixed_changes, stamp

FILE = """
version: v1
sites: {edge: {jurisdiction: NO}}
pools:
  p: {site: edge, engine: vllm, profile: h100/llama-3.1-8b, models: [m],
      endpoints: [http://127.0.0.1:1]}
"""


class Scene:
    """A reloader of a file, with what it told."""

    def __init__(self, path: Path, watch: bool = False, fault: Exception | None = None) -> None:
        path.write_text(FILE + ("watch: true\n" if watch else ""))
        self.path = path
        self.good: list[Config] = []
        self.refused: list[str] = []
        self.fault = fault
        self.reloader = Reloader(
            path, load(path), lambda config: config, self.take, self.refused.append, watch_s=0.02
        )

    def take(self, config: Config) -> None:
        if self.fault:
            raise self.fault
        self.good.append(config)

    async def settled(self) -> None:
        for _ in range(100):
            await asyncio.sleep(0.01)
            if self.good or self.refused:
                return


def play(scene: Scene, act: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        scene.reloader.start()
        await act()
        await scene.reloader.stop()

    asyncio.run(run())


def make(path: Path, **words: object) -> Scene:
    async def build() -> Scene:
        return Scene(path, **words)  # type: ignore[arg-type]

    return asyncio.run(build())


def test_asked_for_and_changed(tmp_path: Path) -> None:
    scene = make(tmp_path / "f.yaml")

    async def act() -> None:
        scene.path.write_text(FILE + "mode: observe\n")
        scene.reloader.request()
        await scene.settled()

    play(scene, act)
    assert [config.policy.mode for config in scene.good] == ["observe"] and not scene.refused


def test_asked_for_and_bad_gone_or_unusable(tmp_path: Path) -> None:
    scene = make(tmp_path / "f.yaml", fault=OSError("no such certificate"))

    async def ask() -> None:
        scene.refused.clear()
        scene.reloader.request()
        await scene.settled()

    async def act() -> None:
        scene.path.write_text(FILE + "mode: perhaps\n")
        await ask()
        assert "f.yaml:7:7" in scene.refused[0]
        scene.path.write_text(FILE + "mode: observe\n")
        await ask()
        assert "no such certificate" in scene.refused[0]
        scene.path.unlink()
        await ask()
        assert "No such file" in scene.refused[0]

    play(scene, act)
    assert not scene.good


def test_a_watched_file_is_read_when_it_changes_and_an_equal_one_does_not_count(
    tmp_path: Path,
) -> None:
    scene = make(tmp_path / "f.yaml", watch=True)

    async def act() -> None:
        os.utime(scene.path, (1, 1))
        await asyncio.sleep(0.3)
        assert not scene.good and not scene.refused
        scene.path.write_text(FILE + "watch: true\nmode: observe\n")
        await scene.settled()

    play(scene, act)
    assert len(scene.good) == 1


def test_an_unwatched_file_is_left_alone(tmp_path: Path) -> None:
    scene = make(tmp_path / "f.yaml")

    async def act() -> None:
        scene.path.write_text(FILE + "mode: observe\n")
        await asyncio.sleep(0.3)

    play(scene, act)
    assert not scene.good


def test_what_needs_a_restart_is_named(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(FILE)
    old = load(path)
    path.write_text(FILE + "listen: {port: 9, workers: 2}\nledger: {folder: other}\n")
    assert fixed_changes(old, load(path)) == ["listen", "workers", "ledger"]
    assert fixed_changes(old, msgspec.structs.replace(old, digest="x")) == []
    assert stamp(tmp_path / "none") is None


def test_who_may_act_changes_at_once_and_the_door_itself_with_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"

    def with_door(text: str) -> Config:
        path.write_text(FILE + (f"oversight: {{site: n, key: n.key, {text}}}\n" if text else ""))
        return load(path)

    old = with_door("port: 1")
    assert fixed_changes(old, with_door("port: 1, two_persons: [resume]")) == []
    assert fixed_changes(old, with_door("port: 2")) == ["oversight"]
    assert fixed_changes(old, with_door("")) == ["oversight"]
