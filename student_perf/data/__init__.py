"""Datasets: where rows come from, what the target is, and what identifies the content.

A dataset's config names source and target; the same content gives the same hash everywhere:

>>> from student_perf.config.schema import Bands, SyntheticDataset
>>> config = SyntheticDataset(
...     name="made", version="1", source="synthetic", rows=100, columns=6, missing_share=0.1,
...     random_state=0, target="score", task="classification", classes=None, drop=["text_1"],
...     bands=Bands(edges=[60.0], labels=["low", "high"]),
... )
>>> dataset = load_dataset(config)
>>> dataset.numeric, dataset.categorical, dataset.classes
(['number_0', 'number_1', 'number_2', 'number_3'], ['text_0'], ('low', 'high'))
>>> dataset.sha256 == load_dataset(config).sha256
True
"""

from student_perf.data.dataset import Dataset, load_dataset

__all__ = ["Dataset", "load_dataset"]
