"""Models by name. Empty of imports: a logged model carries this package to where it is served,
and there `labels.py` must load without Hydra.
"""
