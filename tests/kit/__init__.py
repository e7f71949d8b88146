"""What tests, demo and benchmarks share: senders that sign as the real ones do, and eyes on Postgres, Kafka and the clouds.

Nothing here knows Sluice's code; it uses what the outside may rely on: HTTP, topics, tables.
"""
