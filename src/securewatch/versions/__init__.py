"""Versions of the vendor's product: parsing and order, the tags of the repository, and what policies allow."""
