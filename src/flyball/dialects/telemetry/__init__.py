"""What other people's telemetry says of a fleet, in our own rows and signals."""
