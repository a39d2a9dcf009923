"""What people configured: the fleet's files, the environment, and their reference. Never writes a file of the fleet."""
