"""Every HTML page and Markdown note."""
