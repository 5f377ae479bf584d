"""MLflow: finding, reading, sending and registering runs.

`find` says which run a word means, on disk or in MLflow, and `words` lists the words; `reader`
reads runs back as records; `kept_model` loads a run's model with its contract and golden rows.
`publisher` is the one way into a store (`protocol`); `client` writes through MLflow, `rows`
straight into its sqlite file. `registry` holds versions and aliases, `address` the default store
and URIs.

>>> from student_perf.store.address import is_server, sqlite_file
>>> is_server("http://localhost:5000"), sqlite_file("sqlite:///runs.db").name
(True, 'runs.db')
>>> from student_perf.store.words import ANY_WORD
>>> print(f"name a run by {ANY_WORD}")
name a run by its folder, latest, four or more characters of its id, its name, the name of its
sweep, runs:/ID or models:/NAME@ALIAS
"""
