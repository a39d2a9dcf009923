"""A Render-compatible platform for tests, demos and rehearsals; shares no code with the product."""
