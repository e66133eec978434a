"""The execution record: a tamper-evident log of what was decided and what happened."""
