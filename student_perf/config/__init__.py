"""The composed config: typed, checked, and errors that name the fix."""
