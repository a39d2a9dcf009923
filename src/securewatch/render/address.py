"""Reads the address of Render's API and the key, before anything is sent. Opens no connection."""

import httpx2
from pydantic import SecretStr

from securewatch.core.address import is_loopback
from securewatch.core.errors import ConfigError, SignInNeeded


def read_base_url(text: str) -> str:
    """The base of every request, without a slash at its end. Raises ConfigError (SW109)."""
    fix = "set RENDER_HOST to a full base URL such as https://api.render.com/v1"
    try:
        url = httpx2.URL(text.strip())
    except httpx2.InvalidURL as error:
        raise ConfigError("SW109", "RENDER_HOST is not a URL", why=type(error).__name__, fix=fix) from None
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigError("SW109", "RENDER_HOST is not a full URL", why="it needs https:// and a host", fix=fix)
    if url.port is not None and not 0 < url.port < 65536:
        raise ConfigError("SW109", "RENDER_HOST names a port that cannot be", fix=fix)
    if url.userinfo or url.query or url.fragment:
        raise ConfigError("SW109", "RENDER_HOST holds more than a base URL", why="user, query or fragment", fix=fix)
    if url.scheme == "http" and not is_loopback(url.host):
        why = "plain http would show the API key to the network; it is for loopback only"
        raise ConfigError("SW109", f"RENDER_HOST uses plain http to {url.host}", why=why, fix=fix)
    base = str(url).rstrip("/")
    return base if base.endswith("/v1") else f"{base}/v1"


def read_key(api_key: SecretStr | str) -> SecretStr:
    """The key. Raises SignInNeeded (SW301) where there is none, ConfigError (SW109) where it can be no key."""
    key = (api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key).strip()
    if not key:
        raise SignInNeeded("SW301", "there is no Render API key", fix="set RENDER_API_KEY")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ConfigError("SW109", "the Render API key holds characters that no key has", fix="copy the key once more")
    return SecretStr(key)
