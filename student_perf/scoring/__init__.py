"""What is measured and how sure it is: metrics, intervals, paired tests, objectives."""
