"""Export similar items and recommendations as files: tables, JSON, a database, a static site."""
