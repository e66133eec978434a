"""What is told to Prometheus and OpenTelemetry, and under which names."""
