"""Hands the local platform, in-process, to the real client on a virtual clock (simulation, demo). Not the product."""
