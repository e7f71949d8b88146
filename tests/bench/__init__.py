"""Benchmarks: each runs against a release build and a system of its own, prints a table and adds a JSON line."""
