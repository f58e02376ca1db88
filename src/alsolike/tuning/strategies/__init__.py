"""Propose trainings, round by round, from the scores of earlier rounds."""
