"""The record of a run on disk: its files, and what each says."""
