"""Defines the middlewares that every request passes before the application."""
