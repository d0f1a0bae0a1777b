"""`search`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core import codec, registry, settings
from core.analysis import wording
from core.catalog import open_catalog
from core.catalog.fit import parse_params
from core.cli.output import console, print_json, print_table
from core.records import Candidate, ModelQuery

if TYPE_CHECKING:
    from argparse import Namespace


def search(options: Namespace) -> int:
    """Models that answer the query."""
    query = ModelQuery(
        task=registry.task(options.task).name,
        text=options.text,
        licenses=tuple(options.license),
        min_params=parse_params(options.min_params) if options.min_params else None,
        max_params=parse_params(options.max_params) if options.max_params else None,
        languages=tuple(options.language),
        libraries=tuple(options.library),
        exclude=tuple(options.exclude),
        sort=options.sort,
        limit=options.limit,
    )
    catalog = open_catalog(options.source, settings.hub_token())
    found = catalog.search(query)
    if options.json:
        print_json([codec.encode(candidate) for candidate in found])
    else:
        print_candidates(found)
        console.print(f"{len(found)} in {catalog.title}")
    return 0


def print_candidates(candidates: list[Candidate]) -> None:
    """A table of models with the facts that decide."""
    print_table(
        ("model", "parameters", "download", "licence", "class", "note"),
        [
            (
                one.id,
                wording.count(one.parameters),
                wording.file_size(one.download_bytes),
                one.license or wording.NOTHING,
                one.license_class,
                one.blocked or ("gated" if one.gated else ""),
            )
            for one in candidates
        ],
        right=(1, 2),
    )
