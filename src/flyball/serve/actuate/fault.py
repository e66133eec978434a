"""Why did an actuator not move, and may it be tried again?"""


class ActuatorFault(Exception):
    """It stays where it is; the message says who said what. `is_final` = trying again is no use."""

    def __init__(self, message: str, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final
