"""Load each format of tables into DuckDB, and several parts as one table."""
