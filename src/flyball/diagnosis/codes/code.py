"""What is told of a finding code, for its page and for whoever meets it?"""

from typing import Literal

from msgspec import Struct

from flyball.diagnosis.finding import Area

Level = Literal["note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("note", "warning", "error")
WHAT_IF = "flyball diagnose --loops LOOPS.yaml --what-if CHANGE.yaml"


class Code(Struct, frozen=True, kw_only=True):
    """`meaning` = what is so, `rule` = when it is said, `harm` = what follows if nothing is done,
    `steps` = what to do, best first. `next_step` may hold {loop}, {other} and {actuator}."""

    code: str
    kind: str
    area: Area
    level: Level
    title: str
    meaning: str
    rule: str
    harm: str
    steps: tuple[str, ...]
    next_step: str
