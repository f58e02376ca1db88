"""Write files whole, open SQLite files with care, and remove what must not stay behind."""
