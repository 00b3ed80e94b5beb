"""The relay beside Postfix: `python -m benchmarks.relay`."""
