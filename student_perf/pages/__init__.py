"""Every HTML page, and the words of the notes; `student_perf.render` fills the templates."""
