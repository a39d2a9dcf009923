#!/bin/sh
exec "$(p="$(dirname "$0")/../.venv/bin/securewatch"; [ -x "$p" ] && echo "$p" || echo securewatch)" update-customer "$@"
