"""Middlewares that every request passes before the application."""
