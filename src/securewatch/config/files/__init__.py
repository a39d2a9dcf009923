"""The files as they stand on disk: reading, pydantic models, problems. Not what they mean together (see `merge.py`)."""
