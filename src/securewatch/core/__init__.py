"""Ground floor: errors, exit codes, the clock and identifiers. Imports nothing of ours."""
