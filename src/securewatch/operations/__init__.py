"""Every verb that a person can do, once: each loads, asks the domain, writes rows and gives back a value."""
