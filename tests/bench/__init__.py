"""Measures Sanwei beside the bare library and a naive server: `python -m tests.bench`."""
