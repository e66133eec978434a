"""The ledger on disk: writing, sealing, reading, checking."""
