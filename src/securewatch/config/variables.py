"""The names of the settings and of their environment variables, and which of them belong together. Reads nothing."""

PREFIX = "SECUREWATCH_"
VARIABLES = {
    "render_host": "RENDER_HOST",
    "api_key": "RENDER_API_KEY",
    "workspace": "RENDER_WORKSPACE",
    "config_dir": "SECUREWATCH_CONFIG_DIR",
    "repo": "SECUREWATCH_REPO",
    "database_url": "SECUREWATCH_DATABASE_URL",
    "clock_file": "SECUREWATCH_CLOCK_FILE",
    "actor": "SECUREWATCH_ACTOR",
    "secret_key": "SECUREWATCH_SECRET_KEY",
    "secret_key_file": "SECUREWATCH_SECRET_KEY_FILE",
    "secret_key_command": "SECUREWATCH_SECRET_KEY_COMMAND",
    "secret_key_keyring": "SECUREWATCH_SECRET_KEY_KEYRING",
    "backup_url": "SECUREWATCH_BACKUP_URL",
    "pg_bin": "SECUREWATCH_PG_BIN",
    "scratch_database_url": "SECUREWATCH_SCRATCH_DATABASE_URL",
    "http_timeout_seconds": "SECUREWATCH_HTTP_TIMEOUT",
    "grace_seconds": "SECUREWATCH_GRACE",
    "notify_team": "SECUREWATCH_NOTIFY_TEAM",
    "notify_email": "SECUREWATCH_NOTIFY_EMAIL",
    "mail_folder": "SECUREWATCH_MAIL_FOLDER",
}
"""Each setting and its environment variable; a flag has the setting's own name."""

ALL_SETTINGS = frozenset(VARIABLES)
WHERE_STATE_IS = frozenset({"config_dir", "database_url"})
KEY_SOURCES = ("secret_key", "secret_key_file", "secret_key_command", "secret_key_keyring")
"""The settings that give the encryption key, of which one at most is set."""
NEED_OF_STATE = (ALL_SETTINGS, WHERE_STATE_IS | {"actor", *KEY_SOURCES}, WHERE_STATE_IS)
"""Sets of settings for the kill switch to try, the fullest first: it can do without an unusable one."""
