"""Models: their settings, their fitting, and the fitted thing on disk."""
