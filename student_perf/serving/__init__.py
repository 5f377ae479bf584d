"""A kept model answers: rows of a file, requests, and why."""
