"""An engine without an accelerator: real APIs and metrics over HTTP, timing from a plant."""
