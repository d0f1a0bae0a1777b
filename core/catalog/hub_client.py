"""The door to huggingface_hub, imported inside functions because it costs 0.26 s.

The library retries a busy Hub by sleeping, for minutes where the Hub asks for it. People wait for a search, so our
requests have a time limit, a busy or broken Hub is said at once, and the library's errors become ours.
"""

from __future__ import annotations

import errno
import json
import threading
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn

from core.catalog.base import Progress
from core.errors import DiskFull, GatedModel, HubUnavailable, ModelNotFound, UserError

if TYPE_CHECKING:
    import httpx2

USER_AGENT = "shortlist"
"""Marks our requests (`library_name=`), for the Hub and for the client below."""

RETRY = "Try again in a moment, or search the bundled samples, which need no network."

_SILENCE_SECONDS = 30.0
_MOST_RESTARTS = 5


@cache
def library() -> Any:
    """huggingface_hub, its HTTP client (one per process) no longer waiting for a busy Hub where we ask."""
    import httpx2
    import huggingface_hub
    from huggingface_hub.utils._http import hf_request_event_hook

    class Client(httpx2.Client):
        def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            # datasets shares this client, and falls back to its own cache when it sees the library's errors.
            if not request.headers.get("user-agent", "").startswith(USER_AGENT):
                return super().send(request, **options)
            if request.extensions["timeout"]["read"] is None:  # a thread that is no longer waited for must end
                request.extensions["timeout"] = dict.fromkeys(("connect", "read", "write", "pool"), _SILENCE_SECONDS)
            try:
                response = super().send(request, **options)
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                raise _unreachable(f"{request.url.scheme}://{request.url.netloc.decode()}", error) from error
            if response.status_code == 429 or response.status_code >= 500:
                response.close()
                raise _busy(response)
            return response

    huggingface_hub.set_client_factory(
        lambda: Client(event_hooks={"request": [hf_request_event_hook]}, follow_redirects=True, timeout=None)
    )
    return huggingface_hub


def _unreachable(endpoint: str, error: Exception) -> HubUnavailable:
    return HubUnavailable(f"The Hub at {endpoint} cannot be reached: {str(error) or type(error).__name__}.", RETRY)


def _busy(response: httpx2.Response) -> HubUnavailable:
    status, host = response.status_code, response.url.host
    if status != 429:
        return HubUnavailable(f"The Hub at {host} answered HTTP {status}: it has a problem of its own.", RETRY)
    wait = response.headers.get("Retry-After")
    when = f"It asks to wait {wait} seconds." if wait else "Wait a few minutes."
    return HubUnavailable(
        f"The Hub at {host} answered HTTP 429: too many requests from here.",
        f"{when} With HF_TOKEN set the limit is higher.",
    )


def check_id(id: str) -> str:
    """The id itself, where it is written `org/name`. Raises UserError otherwise."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(id)
        valid = id.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise UserError(
            f"{id!r} is not a model of the Hub.", "Write it as org/name, e.g. distilbert/distilbert-base-cased."
        )
    return id


def explain(
    error: Exception, endpoint: str, id: str | None = None, revision: str | None = None, *, has_token: bool = False
) -> NoReturn:
    """Raise what the user can do about an error of the library; anything else is a bug and stays as it is."""
    import httpx2
    from huggingface_hub import errors

    if isinstance(error, UserError):
        raise error
    if isinstance(error, errors.GatedRepoError):
        raise _gated(str(id), endpoint, has_token) from error
    if isinstance(error, errors.RevisionNotFoundError):
        raise ModelNotFound(
            f"Model {id!r} has no revision {revision!r}.", f"Its commits: {endpoint}/{id}/commits/main"
        ) from error
    if isinstance(error, errors.RepositoryNotFoundError):
        raise ModelNotFound(
            f"There is no model {id!r} on the Hub, or it is private.",
            "Check the spelling of org/name. A private model needs HF_TOKEN set to a token that may read it.",
        ) from error
    if isinstance(error, errors.OfflineModeIsEnabled):
        raise HubUnavailable(
            "The Hub was not asked: HF_HUB_OFFLINE is set.", "Unset it, or use a model that is in the local cache."
        ) from error
    if isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        explain(error.__cause__, endpoint, id, revision, has_token=has_token)
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        raise HubUnavailable(f"The Hub at {endpoint} refused: HTTP {status}.", _refused_hint(status)) from error
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise DiskFull(f"The disk filled up while {id!r} was downloaded.", "Free some space and try again.") from error
    if isinstance(error, OSError) and "Consistency check failed" in str(error):
        raise _broken_off(str(id)) from error
    if isinstance(error, httpx2.RemoteProtocolError) and id:
        raise _broken_off(id) from error
    if isinstance(error, json.JSONDecodeError):
        raise HubUnavailable(f"What answers at {endpoint} is no Hub: it sent no JSON.", "Check HF_ENDPOINT.") from error
    if isinstance(error, httpx2.HTTPError):
        raise _unreachable(endpoint, error) from error
    raise error


def progress_bar(id: str, total: int, on_progress: Progress | None) -> type:
    """A silent bar class for snapshot_download that reports bytes, and ends a download that starts over and over."""
    from huggingface_hub.utils.tqdm import tqdm

    lock = threading.Lock()

    class Bar(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts = kwargs.get("name") == "huggingface_hub.snapshot_download"
            self._done = 0
            self._restarts = 0
            super().__init__(*args, **{**kwargs, "disable": True})  # type: ignore[no-untyped-call]

        def update(self, n: float | None = 1) -> None:
            if not self._counts:
                return
            count = int(n or 0)
            with lock:  # one thread per file reports here
                # The library takes bytes back when a broken download starts at zero, and would try again for ever.
                self._restarts += count < 0
                if self._restarts > _MOST_RESTARTS:
                    raise _broken_off(id)
                self._done += count
                if on_progress:
                    on_progress(min(self._done, total), total)

    return Bar


def _gated(id: str, endpoint: str, has_token: bool) -> GatedModel:
    then = "your token may then read it" if has_token else "then set HF_TOKEN to a token of that account"
    return GatedModel(
        f"{id!r} is gated: its owner wants terms accepted first.", f"Accept them at {endpoint}/{id}, {then}."
    )


def _refused_hint(status: int) -> str:
    if status in (401, 403):
        return "The access token is not valid or may not do this: check HF_TOKEN."
    return RETRY


def _broken_off(id: str) -> HubUnavailable:
    return HubUnavailable(
        f"The download of {id!r} broke off: fewer bytes arrived than the Hub announced.",
        "Try again: what arrived is kept where the Hub can continue.",
    )
