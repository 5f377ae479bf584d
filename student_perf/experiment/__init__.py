"""One experiment: prepared, run, recorded, shown, published."""
