"""Write files atomically, open SQLite files, remove temporary files."""
