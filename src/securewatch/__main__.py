"""Hands over to the command line."""

import sys

from securewatch.cli.app import main as run


def main() -> None:
    """The program `securewatch`; also `python -m securewatch`."""
    sys.exit(run())


if __name__ == "__main__":
    main()
