"""Has the data changed since the reference?"""
