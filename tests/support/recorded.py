"""An event log: what a core was told and what it answered, kept as bytes and played again."""

from typing import Any

import msgspec

from flyball.governor.commands import Command
from flyball.governor.events import Event


class Recorder:
    """Stands before a core in a driver. `log` = (event, commands) pairs, encoded at once, so that
    nothing can change them afterwards."""

    def __init__(self, core: Any) -> None:
        self.core = core
        self.log: list[tuple[bytes, bytes]] = []

    def handle(self, event: Event) -> list[Command]:
        told = msgspec.msgpack.encode(event)
        commands = self.core.handle(event)
        self.log.append((told, msgspec.msgpack.encode(commands)))
        return commands


def replayed(core: Any, log: list[tuple[bytes, bytes]]) -> list[bytes]:
    """The commands of `core` when it is fed the log's events, decoded from their bytes."""
    decoder = msgspec.msgpack.Decoder(Event)
    return [msgspec.msgpack.encode(core.handle(decoder.decode(told))) for told, _ in log]


def kinds(log: list[tuple[bytes, bytes]]) -> set[str]:
    """The kinds of event in it."""
    return {str(msgspec.msgpack.decode(told)["type"]) for told, _ in log}
