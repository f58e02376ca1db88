"""Hold, deploy and query the models that a service serves."""
