"""Seals secrets with AES-256-GCM and derives the keys of the audit log and of fingerprints. Keeps no secrets itself."""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securewatch.core.errors import ConfigError
from securewatch.store.head import HEAD_NAME, read_head

KEY_BYTES = 32
KEY_FILE_NAME = "secret.key"
_MARK = b"SW1"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_KEY_FIX = (
    "set SECUREWATCH_SECRET_KEY to the key in use (base64 of 32 bytes), or SECUREWATCH_SECRET_KEY_FILE to its file"
)


class SecretBox:
    """Seals and opens bytes under one key. Nobody keeps the key of an ephemeral box: good to look, not to store."""

    def __init__(self, key: bytes, *, is_ephemeral: bool = False) -> None:
        if len(key) != KEY_BYTES:
            raise _bad_key("the key", f"it has {len(key)} bytes, not {KEY_BYTES}")
        self.is_ephemeral = is_ephemeral
        self._sealing = AESGCM(_derive(key, "seal"))
        self._audit_key = _derive(key, "audit")
        self._fingerprint_key = _derive(key, "fingerprint")
        self._id = _derive(key, "key id")[:_KEY_ID_BYTES]

    def __repr__(self) -> str:
        return f"SecretBox(key_id={self.key_id!r}, is_ephemeral={self.is_ephemeral})"

    @property
    def key_id(self) -> str:
        """A name of the key, 16 hex digits, that tells nothing about it."""
        return self._id.hex()

    def seal(self, plain: bytes, context: str) -> bytes:
        """Encrypt; the same `context` opens it again. Raises ConfigError (SW107) for an ephemeral box."""
        self.check_lasting()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        header = _MARK + self._id
        return header + nonce + self._sealing.encrypt(nonce, plain, header + context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """Decrypt. Raises ConfigError (SW107) where the key, the bytes or the context are not those of the sealing."""
        header, rest = sealed[: len(_MARK) + _KEY_ID_BYTES], sealed[len(_MARK) + _KEY_ID_BYTES :]
        if header[: len(_MARK)] != _MARK:
            raise _bad_key("a stored secret", "it was not sealed by this tool, or it is damaged")
        self.check_key_id(header[len(_MARK) :].hex(), "a stored secret")
        try:
            return self._sealing.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + context.encode())
        except (InvalidTag, ValueError) as error:
            raise _bad_key(
                "a stored secret", "it was changed after it was sealed, or belongs to something else"
            ) from error

    def fingerprint(self, text: str) -> str:
        """A keyed fingerprint of 16 hex digits: equal for equal texts under this key, and telling nothing else."""
        return hmac.new(self._fingerprint_key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]

    def audit_key(self) -> bytes:
        """The key of the audit log's MACs."""
        return self._audit_key

    def check_lasting(self) -> None:
        """Raise ConfigError (SW107) for an ephemeral box: what it wrote could never be read again."""
        if self.is_ephemeral:
            raise _bad_key("the encryption key", "there is none yet, and this command makes none")

    def check_key_id(self, key_id: str, what: str) -> None:
        """Raise ConfigError (SW107) where `what` was written under another key, naming both keys by their ids."""
        if key_id != self.key_id:
            raise _bad_key(what, f"it was written under the key {key_id}, and this is the key {self.key_id}")


def load_or_create_box(
    *, key_b64: str | None, key_file: Path | None, state_dir: Path, create: bool
) -> tuple[SecretBox, Path | None]:
    """The box, and the path of the key file where one was made now.

    The key is `key_b64`, else that of `key_file`, else of `secret.key` in `state_dir`, which is made once (mode 0600)
    where `create` says so; otherwise the box is ephemeral. Raises ConfigError (SW107) for an unusable key, and where a
    key would be made beside an audit log: it could only be the wrong one.
    """
    if key_b64 is not None:
        return SecretBox(_decode(key_b64, "SECUREWATCH_SECRET_KEY")), None
    if key_file is not None:
        return SecretBox(_read(key_file)), None
    own_file = state_dir / KEY_FILE_NAME
    if own_file.exists():
        return SecretBox(_read(own_file)), None
    if not create:
        return SecretBox(secrets.token_bytes(KEY_BYTES), is_ephemeral=True), None
    head = read_head(state_dir / HEAD_NAME) if state_dir.is_dir() else None
    if head is not None and head.count > 0:
        raise _bad_key("the encryption key", "none is set here, and the audit log was begun under one; none is made")
    was_made = _make(own_file)
    return SecretBox(_read(own_file)), own_file if was_made else None


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"securewatch {purpose} v1".encode()).derive(key)


def _read(path: Path) -> bytes:
    try:
        return _decode(path.read_text("ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise _bad_key(f"the key file {path}", f"it cannot be read ({type(error).__name__})") from error


def _decode(text: str, source: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _bad_key(source, "it is not base64") from error
    if len(key) != KEY_BYTES:
        raise _bad_key(source, f"it holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def _make(path: Path) -> bool:
    """Make the key file where there is none, whole or not at all: another process may be reading it. Says whether."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        raise _bad_key(f"the key file {path}", f"it cannot be made ({error.strerror})") from error
    else:
        return True
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _bad_key(what: str, why: str) -> ConfigError:
    return ConfigError("SW107", f"{what} cannot be used", why=why, fix=_KEY_FIX)
