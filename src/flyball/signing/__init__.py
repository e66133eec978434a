"""Canonical bytes and signatures: what every signed thing here is built on."""
