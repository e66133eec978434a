"""THE CORE, sans-io: `Governor.handle(event) -> list of commands`.

It knows no clock, socket, chance or log: time is a field of each event; chance and ids come in too.
"""
