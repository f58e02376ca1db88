"""Middlewares: what every request passes before the application."""
