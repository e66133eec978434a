"""THE CORE, sans-io: Governor.handle(event) -> list of commands. No clock, socket, chance or log in here."""
