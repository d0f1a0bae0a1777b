"""A small Hugging Face Hub on this machine: a real HTTP server over folders, with faults on demand.

It speaks the routes that huggingface_hub, transformers and datasets use to search and to download. In a test the
fixture `hub` is one; as a process it serves a browser journey or a library that reads HF_ENDPOINT when imported:

    python -m tests.hub_server --root DIR --port 8765 --checkpoints samples/models

`DIR/models/org/name/…` and `DIR/datasets/org/name/…` become repositories. Counts and dates of a repository, which no
folder has, may lie beside it in `name.json`, e.g. `{"downloads": 120, "likes": 4, "lastModified": "2026-05-01"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any

import uvicorn
import yaml
from safetensors import safe_open
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

TOKEN = "hf_test_token"  # the one token this server knows; it opens gated repositories

_FORMATS = {".safetensors": "safetensors", ".bin": "pytorch", ".onnx": "onnx", ".gguf": "gguf"}
_SIZES = {"K": 10**3, "M": 10**6, "B": 10**9}
_PAGE_LIMIT = 1000


@dataclass
class Fault:
    """What goes wrong on the paths that match a pattern (`fnmatch`, e.g. `/api/models*`)."""

    path: str
    method: str = "*"
    status: int = 0
    """HTTP status of the answer; 0 leaves the answer as it is."""
    text: str = '{"error": "on demand"}'
    """The body that comes with the status."""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0
    """Seconds before the answer."""
    truncate: float | None = None
    """Share of the body that is sent before the connection breaks."""
    times: int | None = None
    """How often; None for always."""


@dataclass(frozen=True)
class Seen:
    """A request, as the server saw it."""

    method: str
    path: str
    query: str
    authorization: str | None


class Repo:
    """A folder as a repository with one commit, whose sha is the hash of its files."""

    def __init__(self, kind: str, id: str, folder: Path, facts: dict[str, Any] | None = None) -> None:
        self.kind, self.id, self.folder = kind, id, folder
        beside = folder.parent / f"{folder.name}.json"
        self.facts = (json.loads(beside.read_text()) if beside.is_file() else {}) | (facts or {})

    @cached_property
    def files(self) -> dict[str, Path]:
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path for path in paths}

    @cached_property
    def oids(self) -> dict[str, str]:
        return {name: hashlib.sha1(path.read_bytes()).hexdigest() for name, path in self.files.items()}

    @cached_property
    def sha(self) -> str:
        return hashlib.sha1(json.dumps([self.id, self.oids]).encode()).hexdigest()

    @cached_property
    def card(self) -> dict[str, Any]:
        text = self.files["README.md"].read_text(encoding="utf-8") if "README.md" in self.files else ""
        parts = text.split("---\n", 2)
        # As JSON would carry it: dates become text.
        return json.loads(json.dumps(yaml.safe_load(parts[1]) or {}, default=str)) if len(parts) == 3 else {}

    @cached_property
    def config(self) -> dict[str, Any]:
        try:
            config = json.loads(self.files["config.json"].read_text(encoding="utf-8"))
        except (KeyError, ValueError):
            return {}
        return config if isinstance(config, dict) else {}

    @property
    def gated(self) -> str | bool:
        asks = any(key.startswith("extra_gated_") for key in self.card)
        return self.facts.get("gated", "manual" if asks else False)

    @cached_property
    def tags(self) -> list[str]:
        def texts(key: str) -> list[str]:
            value = self.card.get(key) or []
            return [value] if isinstance(value, str) else list(value)

        found = [_FORMATS[Path(name).suffix] for name in self.files if Path(name).suffix in _FORMATS]
        found += [*texts("tags"), *texts("language"), *texts("library_name"), *texts("pipeline_tag")]
        found += [f"license:{text}" for text in texts("license")] + [f"dataset:{text}" for text in texts("datasets")]
        found += [f"base_model:{text}" for text in texts("base_model")]
        found += [f"task_categories:{text}" for text in texts("task_categories")]
        found += [self.config["model_type"]] if "model_type" in self.config else []
        found += ["custom_code"] if "auto_map" in self.config else []
        return list(dict.fromkeys(found))

    @cached_property
    def safetensors(self) -> dict[str, Any] | None:
        """Number of values per tensor type, as the Hub reads it from the headers."""
        counts: dict[str, int] = {}
        for name, path in self.files.items():
            if name.endswith(".safetensors"):
                try:
                    with safe_open(path, framework="np") as tensors:
                        for key in tensors.keys():  # noqa: SIM118
                            part = tensors.get_slice(key)
                            counts[part.get_dtype()] = counts.get(part.get_dtype(), 0) + prod(part.get_shape())
                except Exception:  # damaged weights: the Hub lists them without a size
                    return None
        return {"parameters": counts, "total": sum(counts.values())} if counts else None

    def info(self, blobs: bool = True) -> dict[str, Any]:
        card = dict(self.card)
        siblings = [
            {"rfilename": name, **({"size": path.stat().st_size, "blobId": self.oids[name]} if blobs else {})}
            for name, path in self.files.items()
        ]
        info = {
            "_id": self.sha[:24],
            "id": self.id,
            "author": self.id.split("/")[0],
            "sha": self.sha,
            "lastModified": "2026-01-01T00:00:00.000Z",
            "createdAt": "2026-01-01T00:00:00.000Z",
            "private": False,
            "gated": self.gated,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "trendingScore": 0,
            "tags": self.tags,
            "cardData": card,
            "siblings": siblings,
            "usedStorage": sum(path.stat().st_size for path in self.files.values()),
        }
        if self.kind == "models":
            info |= {"library_name": card.get("library_name"), "config": self.config, "safetensors": self.safetensors}
            info |= {"model-index": card.pop("model-index", None), "pipeline_tag": card.get("pipeline_tag")}
        return {key: value for key, value in (info | self.facts).items() if value is not None}

    def tree(self, under: str, recursive: bool) -> list[dict[str, Any]] | None:
        prefix = f"{under}/" if under else ""
        names = [name for name in self.files if name.startswith(prefix)]
        if under and not names:
            return None
        entries: dict[str, dict[str, Any]] = {}
        for name in names:
            head, slash, _ = name.removeprefix(prefix).partition("/")
            if slash:
                path = prefix + head
                entries[path] = {"type": "directory", "oid": self.sha, "size": 0, "path": path}
            if recursive or not slash:
                entries[name] = self.entry(name)
        return list(entries.values())

    def entry(self, name: str) -> dict[str, Any]:
        return {"type": "file", "oid": self.oids[name], "size": self.files[name].stat().st_size, "path": name}


class HubServer:
    """The repositories, the faults and what was asked. Start and stop it, or use it as a context manager."""

    def __init__(self, root: Path | None = None, page_limit: int = _PAGE_LIMIT) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []
        self.page_limit = page_limit
        for kind in ("models", "datasets"):
            for folder in sorted(root.glob(f"{kind}/*/*")) if root else ():
                if folder.is_dir():
                    self.add(folder, f"{folder.parent.name}/{folder.name}", kind)
        self.app = Starlette(routes=self._routes(), middleware=[Middleware(_Faults, server=self)])

    def add(self, folder: Path, id: str, kind: str = "models", **facts: Any) -> Repo:
        """Serve a folder as repository `id`; `facts` are fields of the Hub's JSON (downloads, gated, …)."""
        repo = self.repos[kind, id] = Repo(kind, id, folder, facts)
        return repo

    def add_checkpoints(self, folder: Path, org: str = "local") -> list[Repo]:
        """Serve every checkpoint below a folder (`samples/models`) by its path, those at the top as `org/name`."""
        paths = [config.parent for config in sorted(folder.rglob("config.json"))]
        ids = [path.relative_to(folder).as_posix() for path in paths]
        return [self.add(path, id if "/" in id else f"{org}/{id}") for path, id in zip(paths, ids, strict=True)]

    def fail(self, path: str, **fault: Any) -> None:
        """From now on answer matching paths with this fault (fields of `Fault`)."""
        self.faults.append(Fault(path, **fault))

    def requests(self, path: str = "*", method: str = "*") -> list[Seen]:
        """What was asked so far, of paths that match."""
        return [one for one in self.seen if fnmatch(one.path, path) and fnmatch(one.method, method)]

    def reset(self) -> None:
        """Forget faults and requests; the repositories stay."""
        self.faults.clear()
        self.seen.clear()

    def start(self, port: int = 0) -> HubServer:
        config = uvicorn.Config(self.app, host="127.0.0.1", port=port, log_level="critical", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def stop(self) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)

    def __enter__(self) -> HubServer:
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _routes(self) -> list[Route]:
        routes = [Route("/_faults", self._control, methods=["POST", "DELETE"])]
        for kind in ("models", "datasets"):
            api, plain = f"/api/{kind}", "" if kind == "models" else f"/{kind}"
            routes += [
                Route(api, self._list, name=kind),
                Route(f"{api}/{{org}}/{{repo}}/tree/{{rev}}", self._tree, name=f"{kind} root"),
                Route(f"{api}/{{org}}/{{repo}}/tree/{{rev}}/{{path:path}}", self._tree, name=f"{kind} tree"),
                Route(
                    f"{api}/{{org}}/{{repo}}/paths-info/{{rev}}", self._paths, methods=["POST"], name=f"{kind} paths"
                ),
                Route(f"{api}/{{org}}/{{repo}}/revision/{{rev:path}}", self._info, name=f"{kind} revision"),
                Route(f"{api}/{{org}}/{{repo}}", self._info, name=f"{kind} info"),
                Route(f"{plain}/{{org}}/{{repo}}/resolve/{{rev}}/{{path:path}}", self._resolve, name=f"{kind} resolve"),
            ]
        return routes

    async def _control(self, request: Request) -> Response:
        if request.method == "POST":
            self.fail(**await request.json())
        else:
            self.reset()
        return JSONResponse([fault.__dict__ for fault in self.faults])

    async def _list(self, request: Request) -> Response:
        query = request.query_params
        kind = request.url.path.rsplit("/", 1)[-1]
        rows = [repo.info() for (repo_kind, _), repo in self.repos.items() if repo_kind == kind]
        rows = [row for row in rows if _listed(row, query)]
        rows.sort(key=lambda row: row.get(query.get("sort") or "trendingScore") or 0, reverse=True)
        size = min(int(query.get("limit") or self.page_limit), self.page_limit)
        start = int(query.get("cursor") or 0)
        wanted = {"_id", "id", *query.getlist("expand")} if "expand" in query else None
        page = [_only(row, wanted) for row in rows[start : start + size]]
        headers = {}
        if start + size < len(rows):
            following = request.url.include_query_params(cursor=start + size)
            headers["Link"] = f'<{following}>; rel="next"'
        return JSONResponse(page, headers=headers)

    def _find(self, request: Request) -> Repo | Response:
        values = request.path_params
        kind = "datasets" if "datasets" in request.url.path.split("/")[:3] else "models"
        repo = self.repos.get((kind, f"{values['org']}/{values['repo']}"))
        if repo is None:
            return _error(404, "RepoNotFound", "Repository not found")
        if values.get("rev", "main") not in ("main", repo.sha):
            return _error(404, "RevisionNotFound", f"Invalid rev id: {values['rev']}")
        return repo

    async def _info(self, request: Request) -> Response:
        repo = self._find(request)
        if isinstance(repo, Response):
            return repo
        wanted = {"_id", "id", *request.query_params.getlist("expand")} if "expand" in request.query_params else None
        return JSONResponse(_only(repo.info("blobs" in request.query_params), wanted))

    async def _tree(self, request: Request) -> Response:
        repo = self._find(request)
        if isinstance(repo, Response):
            return repo
        recursive = request.query_params.get("recursive", "").lower() == "true"
        entries = repo.tree(request.path_params.get("path", "").rstrip("/"), recursive)
        if entries is None:
            return _error(404, "EntryNotFound", "No such folder", repo)
        return JSONResponse(entries)

    async def _paths(self, request: Request) -> Response:
        repo = self._find(request)
        if isinstance(repo, Response):
            return repo
        form = await request.form() if "form" in request.headers.get("content-type", "") else await request.json()
        paths = form.getlist("paths") if hasattr(form, "getlist") else form["paths"]
        return JSONResponse([repo.entry(name) for name in paths if name in repo.files])

    async def _resolve(self, request: Request) -> Response:
        repo = self._find(request)
        if isinstance(repo, Response):
            return repo
        if repo.gated and not request.headers.get("authorization"):
            return _error(401, "GatedRepo", f"Access to model {repo.id} is restricted.")
        name = request.path_params["path"]
        if name not in repo.files:
            return _error(404, "EntryNotFound", "Entry not found", repo)
        headers = {"etag": f'"{repo.oids[name]}"', "x-repo-commit": repo.sha, "accept-ranges": "bytes"}
        return FileResponse(repo.files[name], headers=headers)


class _Faults:
    """Notes every request, refuses unknown tokens, and lets go wrong what was asked to."""

    def __init__(self, app: ASGIApp, server: HubServer) -> None:
        self._app, self._server = app, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        path = request.url.path
        authorization = request.headers.get("authorization")
        if path != "/_faults":
            self._server.seen.append(Seen(request.method, path, request.url.query, authorization))
        response: Response | None = None
        if authorization not in (None, f"Bearer {TOKEN}"):
            response = _error(401, "", "Invalid credentials in Authorization header")
        truncate = None
        for fault in [one for one in self._server.faults if _applies(one, request)]:
            fault.times = None if fault.times is None else fault.times - 1
            await asyncio.sleep(fault.delay)
            truncate = fault.truncate
            if fault.status:
                response = Response(fault.text, fault.status, fault.headers)
        if response is None and truncate is not None and request.method == "GET":
            response = await self._cut_short(scope, receive, truncate)
        await (response or self._app)(scope, receive, send)

    async def _cut_short(self, scope: Scope, receive: Receive, share: float) -> Response:
        """The app's answer to the whole file, of which only a share is sent before the connection breaks."""
        sent: list[Any] = []

        async def collect(message: Any) -> None:
            sent.append(message)

        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        await self._app(scope, receive, collect)
        body = b"".join(message.get("body", b"") for message in sent)

        async def part() -> AsyncIterator[bytes]:
            yield body[: int(len(body) * share)]

        headers = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
        return StreamingResponse(part(), sent[0]["status"], headers)


def _applies(fault: Fault, request: Request) -> bool:
    return fnmatch(request.url.path, fault.path) and fnmatch(request.method, fault.method) and fault.times != 0


def _listed(row: dict[str, Any], query: Any) -> bool:
    """Whether the Hub would list a repository: all conditions hold."""
    wanted = query.getlist("filter") + ([query["pipeline_tag"]] if "pipeline_tag" in query else [])
    tags = {*row["tags"], row.get("pipeline_tag")}
    total = (row.get("safetensors") or {}).get("total")
    for part in filter(None, query.get("num_parameters", "").split(",")):
        side, _, text = part.partition(":")
        bound = float(text[:-1]) * _SIZES[text[-1]] if text[-1] in _SIZES else float(text)
        if total is None or (total < bound if side == "min" else total > bound):
            return False
    return (
        set(wanted) <= tags
        and query.get("search", "").lower() in row["id"].lower()
        and row["author"] == query.get("author", row["author"])
        and ("gated" not in query or bool(row["gated"]) == (query["gated"].lower() == "true"))
    )


def _only(row: dict[str, Any], names: set[str] | None) -> dict[str, Any]:
    return {key: value for key, value in row.items() if names is None or key in names}


def _error(status: int, code: str, message: str, repo: Repo | None = None) -> Response:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    if repo:
        headers["X-Repo-Commit"] = repo.sha
    return JSONResponse({"error": message}, status, headers)


def main() -> None:
    parser = argparse.ArgumentParser(description="A small Hub over local folders.")
    parser.add_argument("--root", type=Path, help="folder with models/org/name and datasets/org/name")
    parser.add_argument("--checkpoints", type=Path, help="folder of checkpoints to serve as well")
    parser.add_argument("--org", default="local", help="organisation of checkpoints that lie in no folder of one")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    server = HubServer(options.root)
    if options.checkpoints:
        server.add_checkpoints(options.checkpoints, options.org)
    server.start(options.port)
    print(server.url, flush=True)
    try:
        server._thread.join()
    except KeyboardInterrupt:
        server.stop()


if __name__ == "__main__":
    main()
