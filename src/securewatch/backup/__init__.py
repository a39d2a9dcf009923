"""Database backups: take, keep, verify and restore them. Knows nothing of customers' rows, plans or the terminal."""
