"""Flyball: a governor for fleets that serve AI inference."""

__version__ = "0.1.0"
