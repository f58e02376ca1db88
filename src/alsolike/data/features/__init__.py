"""Hold, read and encode what is known of items and users: tags, numbers, texts, vectors."""
