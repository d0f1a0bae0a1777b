"""Where candidates come from: the Hub, a folder of checkpoints, the bundled samples, files of predictions.

`base` says what a catalogue is.
"""

from __future__ import annotations

import os
from pathlib import Path

from core import settings
from core.catalog.base import Catalog, Progress
from core.catalog.folder import FolderCatalog
from core.catalog.hub import HubCatalog, HubStatus, hub_status
from core.catalog.hub_client import check_id
from core.catalog.stored import StoredPredictions
from core.errors import UserError

__all__ = [
    "Catalog",
    "FolderCatalog",
    "HubCatalog",
    "HubStatus",
    "Progress",
    "hub_status",
    "locate",
    "open_catalog",
    "sources",
]

SAMPLES = Path(__file__).resolve().parents[2] / "samples" / "models"


def open_catalog(source: str, token: str | None = None) -> Catalog:
    """The catalogue of that name: `hub`, `samples`, `predictions`, or the path of a folder of checkpoints.

    Raises:
        UserError: There is no such folder.
    """
    if source == "hub":
        return HubCatalog(token=token)
    if source == "samples":
        return FolderCatalog(SAMPLES, name="samples", title="the bundled samples", token=token)
    if source == StoredPredictions.name:
        return StoredPredictions()
    return FolderCatalog(Path(source), token=token)


def locate(model: str, source: str | None = None, token: str | None = None) -> tuple[Catalog, str]:
    """The catalogue that a plan's candidate comes from, and its id in there.

    Without a source an existing checkpoint folder is that folder; anything else must be `org/name` on the Hub.

    Raises:
        UserError: Neither a checkpoint folder nor `org/name`.
    """
    if source is not None:
        catalog = open_catalog(source, token)
        return catalog, check_id(model) if source == "hub" else model
    folder = Path(model).expanduser().absolute()
    if (folder / "config.json").is_file():
        return FolderCatalog(folder.parent, token=token), folder.name
    if folder.is_dir():
        raise UserError(
            f"The folder {model!r} holds no config.json.", "Give the folder of one checkpoint, or org/name."
        )
    if model.startswith((".", "~", os.sep)):
        raise UserError(f"There is no folder {model!r}.", "Check the path; a plan's paths start at its folder.")
    return HubCatalog(token=token), check_id(model)


def sources() -> list[tuple[str, str]]:
    """Each catalogue there is, as (source, title): the Hub, the samples, the folders of SHORTLIST_MODELS."""
    folders = [(str(folder), f"the folder {folder}") for folder in settings.model_folders()]
    return [("hub", HubCatalog.title), ("samples", "the bundled samples"), *folders]
