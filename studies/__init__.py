"""What writes tables, pictures and pages of the docs; README.md says which."""
