"""Measurements, one command each, that print a table: `python -m benchmarks.accepts`, `scan`, `receive`, `loop_block`."""
