"""Structural diagnostics: pure functions over loops and signals."""
