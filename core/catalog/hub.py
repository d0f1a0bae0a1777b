"""The Hugging Face Hub: the only door to huggingface_hub, which is imported inside functions because it costs 0.26 s.

The library retries a busy Hub by sleeping, for minutes where the Hub asks for it. People wait for a search, so here
every request has a time limit, and a busy or broken Hub is said at once.
"""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from core import settings
from core.catalog import checkpoint, safety
from core.catalog.base import Progress
from core.catalog.hub_facts import EXPAND, from_listing, from_snapshot
from core.catalog.license import CLASSES, expand
from core.catalog.query import matches, ordered
from core.catalog.time_limit import within
from core.errors import DiskFull, GatedModel, HubUnavailable, ModelNotFound, RefusedModel, UserError
from core.records import Candidate, ModelQuery

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub import HfApi

T = TypeVar("T")

SCAN_ROWS = 500
"""Rows of the one page that is looked through where the Hub cannot apply a condition itself."""

RETRY = "Try again in a moment, or search the bundled samples, which need no network."

_SORTS = {"downloads": "downloads", "likes": "likes", "trending": "trending_score", "updated": "last_modified"}
_USER_AGENT = "shortlist"
_MOST_RESTARTS = 5
_SILENCE_SECONDS = 30.0
_SPARE_BYTES = 200 * 10**6


@dataclass(frozen=True)
class HubStatus:
    """Whether the Hub answers."""

    reachable: bool
    endpoint: str
    message: str
    """In words, for the page."""


class HubCatalog:
    """Models of the Hugging Face Hub, or of a server that speaks its routes."""

    name = "hub"
    title = "the Hub"

    def __init__(
        self,
        token: str | None = None,
        endpoint: str | None = None,
        timeout: float = 10,
        cache_dir: Path | None = None,
    ) -> None:
        """Talk to a Hub.

        Args:
            token: Access token; None asks anonymously, whatever token this machine has stored.
            endpoint: Address of the Hub; HF_ENDPOINT by default.
            timeout: Seconds that one search or description may take. A download has no limit as long as bytes come.
            cache_dir: Where downloads lie; the ecosystem's shared cache (HF_HOME) by default.
        """
        self._token = token
        self._endpoint = endpoint
        self._timeout = timeout
        self._cache_dir = cache_dir

    @property
    def endpoint(self) -> str:
        """Address of the Hub, without a slash at the end."""
        return self._api().endpoint

    def search(self, query: ModelQuery) -> list[Candidate]:
        """Models that answer the query, in its order, at most `query.limit`.

        One request where one page answers it. Conditions that the Hub cannot apply (several licences, exclusions,
        dates) are applied to the first `SCAN_ROWS` models. Size is no order of the Hub: the most downloaded models are
        taken, then put in order of size.

        Raises:
            HubUnavailable: No answer, or not in time.
        """
        return self._ask(lambda: self._search(query))

    def describe(self, id: str, revision: str | None = None) -> Candidate:
        """All facts of one model, its revision pinned to a commit; `blocked` where a safety rule stands against it.

        A model in the local cache at that commit is described from there when the Hub does not answer.

        Raises:
            ModelNotFound: No such model or revision.
            GatedModel: Terms must be accepted first.
            HubUnavailable: No answer, or not in time.
            UserError: `id` is not `org/name`.
        """
        check_id(id)
        try:
            return self._ask(lambda: self._describe(id, revision), id, revision)
        except HubUnavailable:
            folder = self._cached(id, revision)
            if folder is None:
                raise
            return from_snapshot(id, revision, folder)

    def fetch(self, candidate: Candidate, on_progress: Progress | None = None) -> Path:
        """The snapshot folder of the candidate in the local cache, downloaded where it is not there yet.

        Configurations come first: nothing else is fetched of a model that breaks a rule. A snapshot that is complete
        in the cache needs no network.

        Raises:
            RefusedModel: Breaks a safety rule, or is over the limit SHORTLIST_MAX_DOWNLOAD.
            DiskFull: Not enough space for the download.
            GatedModel, ModelNotFound, HubUnavailable: As `describe`; a download that broke off is HubUnavailable.
        """
        check_id(candidate.id)
        revision = candidate.revision or self.describe(candidate.id).revision
        folder = self._cached(candidate.id, revision)
        if folder is not None:
            _refuse(candidate.id, checkpoint.refusal(folder, checkpoint.list_files(folder)))
            return folder
        folder, files = self._ask(lambda: self._preflight(candidate.id, str(revision)), candidate.id, revision)
        _refuse(candidate.id, checkpoint.refusal(folder, files))
        size = checkpoint.allowed_bytes(files)
        self._check_size(candidate.id, size, folder)
        bar = _progress_bar(candidate.id, size, on_progress)
        try:
            folder = self._snapshot(candidate.id, str(revision), safety.ALLOW_PATTERNS, tqdm_class=bar)
        except Exception as error:
            self._explain(error, candidate.id, revision)
        if on_progress:
            on_progress(size, size)
        return folder

    def _search(self, query: ModelQuery) -> list[Candidate]:
        tags = expand(query.licenses)
        if len(tags) == 1 and set(query.licenses).isdisjoint(CLASSES):
            return _cut(self._page(query, tags[0])[0], query)
        rows, whole = self._page(query)
        # The Hub joins filters by "and", so it cannot be asked for one of several licences. A page without that
        # filter usually holds enough of them. Where it does not (rare licences), one request per licence is exact.
        if whole or len(rows) >= query.limit or not tags:
            return _cut(rows, query)
        with ThreadPoolExecutor(max_workers=8) as pool:
            pages = pool.map(lambda tag: self._page(query, tag)[0], tags)
            merged = {row.id: row for page in (rows, *pages) for row in page}
        return _cut(merged.values(), query)

    def _page(self, query: ModelQuery, license_tag: str | None = None) -> tuple[list[Candidate], bool]:
        """One request: the models that match, and whether these are all that the Hub has."""
        local = replace(query, task=None, text="", languages=(), libraries=(), gated=None)
        if license_tag:
            local = replace(local, licenses=())
        scans = local.licenses or local.exclude or local.updated_after or local.updated_before
        limit = max(SCAN_ROWS, query.limit) if scans else query.limit
        found = list(
            self._api().list_models(
                pipeline_tag=query.task,
                search=query.text or None,
                filter=[*query.languages, *query.libraries, *([f"license:{license_tag}"] if license_tag else [])],
                num_parameters=_size_range(query.min_params, query.max_params),
                gated=query.gated,
                sort=_SORTS.get(query.sort, "downloads"),  # type: ignore[arg-type]
                limit=limit,
                expand=EXPAND,  # type: ignore[arg-type]
            )
        )
        rows = [(from_listing(info), info.tags or ()) for info in found]
        return [row for row, words in rows if matches(row, local, words)], len(found) < limit

    def _describe(self, id: str, revision: str | None) -> Candidate:
        info = self._api().model_info(id, revision=revision)
        folder, files = self._preflight(id, str(info.sha))
        candidate = from_listing(info)
        computed: dict[str, Any] = {
            "download_bytes": checkpoint.allowed_bytes(files),
            "formats": checkpoint.formats(files),
        }
        try:
            if "config.json" in files:
                computed |= checkpoint.config_facts(checkpoint.read_config(folder / "config.json"))
            blocked = checkpoint.refusal(folder, files)
        except RefusedModel as error:
            blocked = error.message
        if candidate.task:
            computed.pop("task", None)
        origins = {**candidate.origins, **dict.fromkeys(computed, "computed")}
        return replace(candidate, **computed, origins=origins, blocked=blocked)

    def _preflight(self, id: str, sha: str) -> tuple[Path, dict[str, int]]:
        """The snapshot folder with the configurations only, and every file of the repository with its bytes."""
        from huggingface_hub import get_cached_repo_tree

        folder = self._snapshot(id, sha, safety.CONFIG_PATTERNS)
        # Downloading has just written the file list of this commit to the cache: reading it there costs no request.
        tree = get_cached_repo_tree(id, revision=sha, cache_dir=self._cache_dir)
        return folder, {file.path: file.size for file in tree}

    def _snapshot(self, id: str, sha: str, patterns: tuple[str, ...], **options: Any) -> Path:
        folder = _library().snapshot_download(
            id,
            revision=sha,
            endpoint=self._endpoint,
            token=self._token or False,
            cache_dir=self._cache_dir,
            library_name=_USER_AGENT,
            allow_patterns=list(patterns),
            ignore_patterns=list(safety.IGNORE_PATTERNS),
            **{"tqdm_class": _progress_bar(id, 0, None), **options},
        )
        return Path(folder)

    def _cached(self, id: str, revision: str | None) -> Path | None:
        """The complete snapshot of a commit in the local cache; None where it is not there."""
        if not _is_commit(revision):
            return None
        try:
            folder = self._snapshot(id, str(revision), safety.ALLOW_PATTERNS, local_files_only=True)
        except FileNotFoundError:  # both of the library's errors for "not (completely) cached" are this one
            return None
        return folder if (folder / "config.json").is_file() else None

    def _check_size(self, id: str, size: int, folder: Path) -> None:
        if size > (limit := settings.max_download()):
            raise RefusedModel(
                f"{id!r} is refused. It would download {size / 1e9:,.1f} GB, over the limit of {limit / 1e9:,.1f} GB.",
                "Choose a smaller model, or raise SHORTLIST_MAX_DOWNLOAD (bytes).",
            )
        free = shutil.disk_usage(folder).free
        if size + _SPARE_BYTES > free:
            raise DiskFull(
                f"{id!r} needs {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free where {folder} lies.",
                "Free some space, or set HF_HOME to a folder on a larger disk.",
            )

    def _api(self) -> HfApi:
        api: HfApi = _library().HfApi(endpoint=self._endpoint, token=self._token or False, library_name=_USER_AGENT)
        return api

    def _ask(self, request: Callable[[], T], id: str | None = None, revision: str | None = None) -> T:
        """The result of a request, within the time limit, its errors in our words."""
        try:
            return within(self._timeout, request)
        except TimeoutError:
            raise HubUnavailable(
                f"The Hub at {self.endpoint} did not answer within {self._timeout:g} seconds.", RETRY
            ) from None
        except Exception as error:
            self._explain(error, id, revision)

    def _explain(self, error: Exception, id: str | None, revision: str | None) -> NoReturn:
        """Raise what the user can do about an error of the library; anything else is a bug and stays as it is."""
        import httpx2
        from huggingface_hub import errors

        if isinstance(error, UserError):
            raise error
        if isinstance(error, errors.GatedRepoError):
            raise _gated(str(id), self.endpoint, bool(self._token)) from error
        if isinstance(error, errors.RevisionNotFoundError):
            raise ModelNotFound(
                f"Model {id!r} has no revision {revision!r}.", f"Its commits: {self.endpoint}/{id}/commits/main"
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
            self._explain(error.__cause__, id, revision)
        if isinstance(error, errors.HfHubHTTPError):
            status = error.response.status_code
            raise HubUnavailable(
                f"The Hub at {self.endpoint} refused: HTTP {status}.", _refused_hint(status)
            ) from error
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise DiskFull(
                f"The disk filled up while {id!r} was downloaded.", "Free some space and try again."
            ) from error
        if isinstance(error, OSError) and "Consistency check failed" in str(error):
            raise _broken_off(str(id)) from error
        if isinstance(error, httpx2.RemoteProtocolError) and id:
            raise _broken_off(id) from error
        if isinstance(error, httpx2.HTTPError):
            raise _unreachable(self.endpoint, error) from error
        raise error


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


def hub_status(timeout: float = 3, endpoint: str | None = None) -> HubStatus:
    """Whether the Hub answers within `timeout` seconds. Never raises because of the network."""
    hub = HubCatalog(endpoint=endpoint, timeout=timeout)
    try:
        hub.search(ModelQuery(limit=1))
    except HubUnavailable as error:
        return HubStatus(False, hub.endpoint, error.message)
    return HubStatus(True, hub.endpoint, f"The Hub at {hub.endpoint} answers.")


@cache
def _library() -> Any:
    """huggingface_hub, its HTTP client (one per process) no longer waiting for a busy Hub where we are the ones asking."""
    import httpx2
    import huggingface_hub
    from huggingface_hub.utils._http import hf_request_event_hook

    class Client(httpx2.Client):
        def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
            # datasets shares this client, and falls back to its own cache when it sees the library's errors.
            if not request.headers.get("user-agent", "").startswith(_USER_AGENT):
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


def _progress_bar(id: str, total: int, on_progress: Progress | None) -> type:
    """A silent bar class for snapshot_download that reports bytes, and ends a download that starts over and over."""
    from huggingface_hub.utils.tqdm import tqdm

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
            # The library takes bytes back when a broken download starts at zero, and would try again for ever.
            self._restarts += count < 0
            if self._restarts > _MOST_RESTARTS:
                raise _broken_off(id)
            self._done += count
            if on_progress:
                on_progress(min(self._done, total), total)

    return Bar


def _size_range(low: int | None, high: int | None) -> str | None:
    """`min:66M,max:1000K`, rounded outwards to thousands: the exact limits are applied to the answer."""
    parts = [] if low is None else [f"min:{low // 1000}K"]
    parts += [] if high is None else [f"max:{-(-high // 1000)}K"]
    return ",".join(parts) or None


def _cut(rows: Any, query: ModelQuery) -> list[Candidate]:
    by_use = replace(query, sort="downloads" if query.sort == "size" else query.sort)
    return ordered(ordered(rows, by_use)[: query.limit], query)


def _refuse(id: str, reason: str | None) -> None:
    if reason:
        raise RefusedModel(f"{id!r} is refused. {reason}", "Choose another model.")


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


def _is_commit(revision: str | None) -> bool:
    return revision is not None and len(revision) == 40 and set(revision) <= set("0123456789abcdef")
