"""Rows divided, guarded and cross-validated; nothing here reads or writes files."""
