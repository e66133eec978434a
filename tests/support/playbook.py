"""How is a dialogue with the core written down? `>>` feeds an event, `<<` expects the next command.

    play = Playbook(governor)
    play >> RequestArrived(...) << a(Record, record=a(Intent, attempt=1)) << a(Forward, endpoint=0)
    play.done()

Every command must be expected, in order; a surplus or a missing one fails with both listed.
"""

from typing import Any

from flyball.governor.commands import Command
from flyball.governor.events import Event
from flyball.governor.governor import Governor


class a:
    """Matches an object of this type whose named fields equal (or match) the given values."""

    def __init__(self, kind: type, **fields: object) -> None:
        self.kind = kind
        self.fields = fields

    def mismatch(self, thing: object) -> str:
        """Why `thing` is not it, or ""."""
        if not isinstance(thing, self.kind):
            return f"is a {type(thing).__name__}, not a {self.kind.__name__}"
        for name, wanted in self.fields.items():
            found = getattr(thing, name)
            if isinstance(wanted, a):
                why = wanted.mismatch(found)
                if why:
                    return f"{name} {why}"
            elif callable(wanted) and not isinstance(wanted, type):
                if not wanted(found):
                    return f"{name} = {found!r} does not satisfy the condition"
            elif found != wanted:
                return f"{name} = {found!r}, expected {wanted!r}"
        return ""


class Playbook:
    """Feeds a governor and holds its answers until they are expected."""

    def __init__(self, governor: Governor) -> None:
        self.governor = governor
        self.pending: list[Command] = []

    def __rshift__(self, event: Event) -> "Playbook":
        self.done()
        self.pending = list(self.governor.handle(event))
        return self

    def __lshift__(self, wanted: Any) -> "Playbook":
        pattern = wanted if isinstance(wanted, a) else a(wanted)
        assert self.pending, f"expected a {pattern.kind.__name__}, but no command is left"
        command = self.pending.pop(0)
        why = pattern.mismatch(command)
        assert not why, f"{why}\n  got: {command!r}\n  then: {self.pending!r}"
        return self

    def done(self) -> None:
        """Every command given so far was expected."""
        assert not self.pending, f"unexpected commands: {self.pending!r}"
