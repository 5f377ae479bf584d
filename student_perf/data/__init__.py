"""Datasets: where rows come from, what the target is, and what identifies the content."""

from student_perf.data.dataset import Dataset, load_dataset

__all__ = ["Dataset", "load_dataset"]
