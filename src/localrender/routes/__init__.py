"""The routes of Render's API, one file a resource, and those of the admin API outside /v1."""
