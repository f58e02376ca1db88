"""Run the main job: from a table of likes to a report, a model and similar items."""
