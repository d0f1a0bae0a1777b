"""Every environment variable that Shortlist reads, read in one place and at the time it is needed."""

from __future__ import annotations

import os
from pathlib import Path

from core.errors import UserError

MAX_DOWNLOAD_BYTES = 20 * 10**9
"""Most bytes of one model where SHORTLIST_MAX_DOWNLOAD does not say otherwise."""


def home() -> Path:
    """SHORTLIST_HOME, `~/.shortlist` by default: database, uploads, logs. It may not exist yet."""
    return Path(os.environ.get("SHORTLIST_HOME") or "~/.shortlist").expanduser().absolute()


def database_url() -> str:
    """SHORTLIST_DATABASE_URL, by default an SQLite file under `home()`."""
    return os.environ.get("SHORTLIST_DATABASE_URL") or f"sqlite:///{home() / 'shortlist.db'}"


def model_folders() -> tuple[Path, ...]:
    """SHORTLIST_MODELS: folders of local checkpoints, separated as in PATH (`:`; `;` on Windows)."""
    entries = os.environ.get("SHORTLIST_MODELS", "").split(os.pathsep)
    return tuple(Path(entry.strip()).expanduser().absolute() for entry in entries if entry.strip())


def max_download() -> int:
    """SHORTLIST_MAX_DOWNLOAD: most bytes that one model may have. Raises UserError where it is not a whole number."""
    text = os.environ.get("SHORTLIST_MAX_DOWNLOAD", "").strip()
    if not text:
        return MAX_DOWNLOAD_BYTES
    try:
        limit = int(text.replace("_", ""))
    except ValueError:
        limit = 0
    if limit <= 0:
        raise UserError(f"SHORTLIST_MAX_DOWNLOAD is {text!r}.", "Set it to a number of bytes, e.g. 20000000000.")
    return limit


def hub_token() -> str | None:
    """The user's Hub token by the rules of huggingface_hub: HF_TOKEN, else the file that `hf auth login` writes."""
    token = os.environ.get("HF_TOKEN") or os.environ.get("HUGGING_FACE_HUB_TOKEN")
    if not token:
        try:
            token = _token_file().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
    return token.strip() or None


def _token_file() -> Path:
    if path := os.environ.get("HF_TOKEN_PATH"):
        return Path(path).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    hub_home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(hub_home).expanduser() / "token"
