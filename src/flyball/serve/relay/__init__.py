"""Bytes between clients and engines: the data plane of one process."""
