"""The running process: start, workers, control, reload, drain, its own pages."""
