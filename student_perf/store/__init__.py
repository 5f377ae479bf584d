"""MLflow: finding, reading, sending and registering runs; `find` says what a word means."""
