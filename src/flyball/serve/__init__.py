"""The only package that does I/O."""
