"""Files as raw tables: what a file is, how it writes its cells, and one reader for each format.

`ReadOptions` says how a file is read. `sniff.complete_options` fills in what nobody has named,
once; the config, the record and the contract keep the answer, so all later readers read alike.

>>> from student_perf.tables.options import ReadOptions
>>> ReadOptions(separator=";", decimal=",", encoding="cp1252").describe()
"separator ';', decimal ',', cp1252"
"""
