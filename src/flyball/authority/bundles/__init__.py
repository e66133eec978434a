"""Bundles: policy that travels, signed."""
