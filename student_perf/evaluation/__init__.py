"""Rows divided, guarded and cross-validated; nothing here reads or writes files.

>>> import numpy as np
>>> import pandas as pd
>>> from sklearn.dummy import DummyClassifier
>>> from student_perf.config.schema import KFoldSplit
>>> from student_perf.data.dataset import Dataset
>>> from student_perf.evaluation.cross_validation import cross_validate
>>> from student_perf.evaluation.splits import make_split
>>> features = pd.DataFrame({"hours": np.arange(40.0)})
>>> passed = np.repeat([0, 1], [10, 30])
>>> dataset = Dataset("demo", "1", "classification", "passed", features, passed, ("no", "yes"), "")
>>> split = make_split(dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
>>> len(split.test), [len(fold.validation) for fold in split.folds]
(8, [8, 8, 8, 8])
>>> result = cross_validate(DummyClassifier(), dataset, split)
>>> result.estimates["accuracy"].mean
0.75
"""
