"""A table before any training: its columns, what is wrong with it, what it can and cannot answer.

Nothing here keeps a model or writes a record.
"""
