"""Rebuilt incidents with a known truth: which loops, which kind, when users were harmed."""
