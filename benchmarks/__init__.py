"""Measurements, one command each, that print a table; README.md lists them and keeps what was measured last."""
