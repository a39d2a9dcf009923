"""SecureWatch Render: brings a git tag to every customer's services on Render, safely."""

__version__ = "0.1.0"
