"""The Hugging Face Hub as a catalogue."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core import settings
from core.catalog import checkpoint, safety
from core.catalog.base import Progress
from core.catalog.hub_client import RETRY, USER_AGENT, check_id, explain, library, progress_bar
from core.catalog.hub_facts import EXPAND, from_listing, from_snapshot
from core.catalog.license import CLASSES, expand
from core.catalog.query import matches, ordered, pipeline_tags
from core.catalog.time_limit import within
from core.errors import DiskFull, HubUnavailable, RefusedModel
from core.records import Candidate, ModelQuery

if TYPE_CHECKING:
    from huggingface_hub import HfApi

T = TypeVar("T")

SCAN_ROWS = 500
"""Rows of the one page that is looked through where the Hub cannot apply a condition itself."""

_SORTS = {"downloads": "downloads", "likes": "likes", "trending": "trending_score", "updated": "last_modified"}
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
        bar = progress_bar(candidate.id, size, on_progress)
        try:
            folder = self._snapshot(candidate.id, str(revision), safety.ALLOW_PATTERNS, tqdm_class=bar)
        except Exception as error:
            explain(error, self.endpoint, candidate.id, revision, has_token=bool(self._token))
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
                pipeline_tag=pipeline_tags(query.task)[0] if query.task else None,
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
        if here := self._cached(id, str(info.sha)):
            computed["disk_bytes"] = sum(checkpoint.list_files(here).values())
        origins = {**candidate.origins, **dict.fromkeys(computed, "computed")}
        return replace(candidate, **computed, origins=origins, blocked=blocked)

    def _preflight(self, id: str, sha: str) -> tuple[Path, dict[str, int]]:
        """The snapshot folder with the configurations only, and every file of the repository with its bytes."""
        folder = self._snapshot(id, sha, safety.CONFIG_PATTERNS)
        # Downloading has just written the file list of this commit to the cache: reading it there costs no request.
        tree = library().get_cached_repo_tree(id, revision=sha, cache_dir=self._cache_dir)
        return folder, {file.path: file.size for file in tree}

    def _snapshot(self, id: str, sha: str, patterns: tuple[str, ...], **options: Any) -> Path:
        folder = library().snapshot_download(
            id,
            revision=sha,
            endpoint=self._endpoint,
            token=self._token or False,
            cache_dir=self._cache_dir,
            library_name=USER_AGENT,
            allow_patterns=list(patterns),
            ignore_patterns=list(safety.IGNORE_PATTERNS),
            **{"tqdm_class": progress_bar(id, 0, None), **options},
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
        api: HfApi = library().HfApi(endpoint=self._endpoint, token=self._token or False, library_name=USER_AGENT)
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
            explain(error, self.endpoint, id, revision, has_token=bool(self._token))


def hub_status(timeout: float = 3, endpoint: str | None = None) -> HubStatus:
    """Whether the Hub answers within `timeout` seconds. Never raises because of the network."""
    hub = HubCatalog(endpoint=endpoint, timeout=timeout)
    try:
        hub.search(ModelQuery(limit=1))
    except HubUnavailable as error:
        return HubStatus(False, hub.endpoint, error.message)
    return HubStatus(True, hub.endpoint, f"The Hub at {hub.endpoint} answers.")


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


def _is_commit(revision: str | None) -> bool:
    return revision is not None and len(revision) == 40 and set(revision) <= set("0123456789abcdef")
