"""Run the trainings of a search in threads or processes."""
