"""Does a fault carry its message, and whether trying again is of use?"""

from flyball.serve.actuate.fault import ActuatorFault


def test_a_fault_is_passing_unless_said_otherwise() -> None:
    assert not ActuatorFault("busy").is_final
    assert ActuatorFault("forbidden", True).is_final
    assert str(ActuatorFault("busy")) == "busy"
