"""Seals secrets with AES-256-GCM and derives the keys of audit log, fingerprints and archives. Keeps no secrets itself.

Where the key comes from is the business of `key_sources`, and changing it that of `rotation`.
"""

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from securewatch.core.errors import ConfigError
from securewatch.store.head import HEAD_NAME, read_head

KEY_BYTES = 32
KEY_FILE_NAME = "secret.key"
DERIVED = ("audit", "fingerprint", "archive")
"""What further keys are for that hang on the key; they are needed still when another one has taken its place."""
_MARK = b"SW1"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12
_KEY_FIX = (
    "set SECUREWATCH_SECRET_KEY to the key in use (base64 of 32 bytes), or SECUREWATCH_SECRET_KEY_FILE to its file"
)
_OTHER_KEY_FIX = f"{_KEY_FIX}; after a `securewatch key rotate` that was interrupted, give that command again"


class SecretBox:
    """Seals and opens bytes under one key. Nobody keeps the key of an ephemeral box: good to look, not to store."""

    def __init__(self, key: bytes, *, is_ephemeral: bool = False) -> None:
        if len(key) != KEY_BYTES:
            raise unusable_key("the key", f"it has {len(key)} bytes, not {KEY_BYTES}")
        self.is_ephemeral = is_ephemeral
        self._sealing = AESGCM(_derive(key, "seal"))
        self._derived = {purpose: _derive(key, purpose) for purpose in DERIVED}
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
            raise unusable_key("a stored secret", "it was not sealed by this tool, or it is damaged")
        self.check_key_id(header[len(_MARK) :].hex(), "a stored secret")
        try:
            return self._sealing.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], header + context.encode())
        except (InvalidTag, ValueError) as error:
            raise unusable_key(
                "a stored secret", "it was changed after it was sealed, or belongs to something else"
            ) from error

    def fingerprint(self, text: str) -> str:
        """A keyed fingerprint of 16 hex digits: equal for equal texts under this key, and telling nothing else."""
        return fingerprint_under(self._derived["fingerprint"], text)

    def audit_key(self) -> bytes:
        """The key of the audit log's MACs."""
        return self._derived["audit"]

    def archive_key(self) -> bytes:
        """The key of backup archives, which stand under `key_id`; those of former keys are in `former.archive_keys`."""
        return self._derived["archive"]

    def derived(self) -> Mapping[str, bytes]:
        """The keys by their purposes of DERIVED, to be kept when another key takes this one's place."""
        return dict(self._derived)

    def check_lasting(self) -> None:
        """Raise ConfigError (SW107) for an ephemeral box: what it wrote could never be read again."""
        if self.is_ephemeral:
            raise unusable_key("the encryption key", "there is none yet, and this command makes none")

    def check_key_id(self, key_id: str, what: str) -> None:
        """Raise ConfigError (SW107) where `what` was written under another key, naming both keys by their ids."""
        if key_id != self.key_id:
            ours = "none is set here" if self.is_ephemeral else f"this is the key {self.key_id}"
            raise unusable_key(what, f"it was written under the key {key_id}, and {ours}", fix=_OTHER_KEY_FIX)


def load_or_create_box(
    *,
    key_b64: str | None,
    key_file: Path | None,
    state_dir: Path,
    create: bool,
    source: str = "SECUREWATCH_SECRET_KEY",
) -> tuple[SecretBox, Path | None]:
    """The box, and the path of the key file where one was made now.

    The key is `key_b64`, which is from `source`, else that of `key_file`, else of `secret.key` in `state_dir`, which is
    made once (mode 0600) where `create` says so; otherwise the box is ephemeral. Raises ConfigError (SW107) for an
    unusable key, and where a key would be made beside an audit log: it could only be the wrong one.
    """
    if key_b64 is not None:
        return SecretBox(decode_key(key_b64, source)), None
    if key_file is not None:
        return SecretBox(read_key_file(key_file)), None
    own_file = state_dir / KEY_FILE_NAME
    if own_file.exists():
        return SecretBox(read_key_file(own_file)), None
    if not create:
        return SecretBox(secrets.token_bytes(KEY_BYTES), is_ephemeral=True), None
    head = read_head(state_dir / HEAD_NAME) if state_dir.is_dir() else None
    if head is not None and head.count > 0:
        raise unusable_key(
            "the encryption key", "none is set here, and the audit log was begun under one; none is made"
        )
    was_made = _make(own_file)
    return SecretBox(read_key_file(own_file)), own_file if was_made else None


def fingerprint_under(key: bytes, text: str) -> str:
    """The fingerprint of a text under a key that was derived for fingerprints."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


def key_id_of(sealed: bytes) -> str:
    """The id of the key under which something was sealed."""
    return sealed[len(_MARK) : len(_MARK) + _KEY_ID_BYTES].hex()


def replace_key_file(path: Path, key: bytes) -> None:
    """Put a key in the place of the one in the file, by rename: a reader meets one or the other (SW107 on failure)."""
    temporary = _write_beside(path, key)
    try:
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise unusable_key(f"the key file {path}", f"it cannot be replaced ({error.strerror})") from error


def _derive(key: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"securewatch {purpose} v1".encode()).derive(key)


def read_key_file(path: Path) -> bytes:
    """The key in a file. Raises ConfigError (SW107) where there is none."""
    try:
        return decode_key(path.read_text("ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise unusable_key(f"the key file {path}", f"it cannot be read ({type(error).__name__})") from error


def decode_key(text: str, source: str) -> bytes:
    """The key from its base64. Raises ConfigError (SW107) that names the source and shows nothing of the text."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise unusable_key(source, "it is not base64") from error
    if len(key) != KEY_BYTES:
        raise unusable_key(source, f"it holds {len(key)} bytes, not {KEY_BYTES}")
    return key


def _make(path: Path) -> bool:
    """Make the key file where there is none, whole or not at all: another process may be reading it. Says whether."""
    temporary = _write_beside(path, secrets.token_bytes(KEY_BYTES))
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        raise unusable_key(f"the key file {path}", f"it cannot be made ({error.strerror})") from error
    else:
        return True
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_beside(path: Path, key: bytes) -> Path:
    """Write a key into a file of another name in the same folder, for its owner alone, and onto the disk."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise unusable_key(f"the key file {path}", f"it cannot be written ({error.strerror})") from error
    return temporary


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unusable_key(what: str, why: str, *, fix: str = _KEY_FIX) -> ConfigError:
    """The error of a key, or of something sealed, that cannot be used (SW107); it never shows a key."""
    return ConfigError("SW107", f"{what} cannot be used", why=why, fix=fix)
