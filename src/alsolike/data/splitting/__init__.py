"""Split interactions into training, validation and test sets."""
