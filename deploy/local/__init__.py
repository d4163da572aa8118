"""The stack on one machine: real Apache Kafka, real PostgreSQL and every service role.

Behind `make run`, the tests' fixtures, the replays and the benchmarks; see README.md here.
"""
