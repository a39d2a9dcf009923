"""The gateway to Render's API: a careful client, one rate budget, tolerant models, one file a resource."""
