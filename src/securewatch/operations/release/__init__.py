"""What people ask of a release over many customers."""
