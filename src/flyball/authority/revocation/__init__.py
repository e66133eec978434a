"""Taking it back: revocations, feeds of them, the people who may, and who else asks."""
