"""Recorded traces sent as live load, and the report of it."""
