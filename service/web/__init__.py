"""The HTTP service: an API for scripts, pages for people, metrics for Prometheus.

It reads and writes the database and nothing else: what executes campaigns are other processes.
"""
