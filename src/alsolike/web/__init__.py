"""Serves models over HTTP: an app for people and an API for programs."""
