"""Write a file that a command was asked for: whole or not at all."""

from pathlib import Path

from securewatch.core.errors import UsageError


def write_file(path: Path, data: bytes, *, example: str) -> None:
    """Put the file in its place whole. Raises UsageError (SW201) where it cannot; `example` is a flag that works."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UsageError(
            "SW201",
            f"{path} cannot be written",
            why=error.strerror or type(error).__name__,
            fix=f"give a file in a folder that is there and may be written: {example}",
        ) from error
