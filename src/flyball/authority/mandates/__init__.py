"""Mandates: what a person let an agent do, in Biscuits."""
