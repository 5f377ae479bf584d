"""From runs to a justified choice."""
