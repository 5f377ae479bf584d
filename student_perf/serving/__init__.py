"""A kept model answers: the rows of a file, requests over HTTP, and what moves its answers.

>>> from student_perf.data.contract import ColumnContract, Contract
>>> from student_perf.serving.request_rows import RequestReader
>>> contract = Contract("grade", [], {"hours": ColumnContract("numeric", False)})
>>> features, n_rows = RequestReader(contract, max_rows=10).read(b'{"rows": [{"hours": 3}]}')
>>> features["hours"], n_rows
([3.0], 1)
"""
