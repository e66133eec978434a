"""Do faults strike the share of requests that they should, the same ones each time?"""

import msgspec
import pytest

from flyball.serve.emulator.faults import Fault, Faults, parse_fault


def test_share_and_repeatability() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.add(Fault("stall", ratio=0.25))
        return [faults.draw() is not None for _ in range(4000)]

    assert strikes(1) == strikes(1) != strikes(2)
    assert sum(strikes(1)) / 4000 == pytest.approx(0.25, abs=0.03)


def test_one_of_a_kind_and_clear() -> None:
    faults = Faults(0)
    faults.add(Fault("slow", factor=2.0))
    faults.add(Fault("slow", factor=3.0))
    assert faults.draw() == Fault("slow", factor=3.0)
    faults.clear()
    assert faults.draw() is None


def test_parsing() -> None:
    assert parse_fault("error-503") == Fault("error-503")
    assert parse_fault("stall:0.1") == Fault("stall", ratio=0.1)
    with pytest.raises(ValueError, match="did you mean 'garbage'"):
        parse_fault("garbge:1")
    with pytest.raises(ValueError, match="not a number"):
        parse_fault("stall:often")
    with pytest.raises(ValueError, match=r"0\.\.1"):
        parse_fault("stall:2")


@pytest.mark.parametrize(
    "text",
    [b'{"kind":"fire"}', b'{"kind":"stall","ratio":-1}', b'{"kind":"slow","factor":0.5}',
     b'{"kind":"stall","after_chunks":-1}', b'{"kind":"stall","extra":1}'],
)  # fmt: skip
def test_bad_faults_are_refused(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=Fault)
