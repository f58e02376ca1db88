"""Break metrics down by groups of users and items."""
