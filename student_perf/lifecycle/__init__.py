"""After training: reproduce, predict, watch."""
