"""Whether a host is this very machine, by its name or address alone; nothing is looked up."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host name or address (`[::1]` too) is 127.0.0.0/8, ::1 or localhost."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
