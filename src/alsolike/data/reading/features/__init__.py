"""Read features of items and users: from long tables, columns of tables, vectors, objects."""
