"""Fakes of our ports, one file a port; each is proved by a contract suite."""
