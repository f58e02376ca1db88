"""Write the similar items of a model as files: tables, JSON, a database, a static site."""
