"""A release's migrations of the customers' databases: which there are, what they would break, and applying them."""
