"""Why can the door for people and other governors not be opened?"""


class DoorFault(Exception):
    """The message says why and what to do."""
