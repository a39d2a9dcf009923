"""Telling people: the wording, the ways to them, and the delivery. Not when and whom (see `rollout/notices.py`)."""
