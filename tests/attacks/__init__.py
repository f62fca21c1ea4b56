"""What somebody who holds the database (but no key) can do to it: every column, row and order history speaks of."""
