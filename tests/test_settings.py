from __future__ import annotations

from pathlib import Path

import pytest

from core import settings
from core.errors import UserError


def test_the_database_is_a_file_under_home_unless_a_url_is_set(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.database_url() == f"sqlite:///{home}/shortlist.db"
    monkeypatch.setenv("SHORTLIST_DATABASE_URL", "postgresql://team@db/shortlist")
    assert settings.database_url() == "postgresql://team@db/shortlist"


def test_model_folders_are_separated_as_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.model_folders() == ()
    monkeypatch.setenv("SHORTLIST_MODELS", f"{tmp_path}/a: {tmp_path}/b :")
    assert settings.model_folders() == (tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(("text", "limit"), [("", settings.MAX_DOWNLOAD_BYTES), ("5_000", 5000)])
def test_the_download_limit_is_a_number_of_bytes(text: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORTLIST_MAX_DOWNLOAD", text)
    assert settings.max_download() == limit


@pytest.mark.parametrize("text", ["5GB", "-1", "0"])
def test_a_download_limit_that_is_no_number_names_the_setting(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORTLIST_MAX_DOWNLOAD", text)
    with pytest.raises(UserError, match=f"SHORTLIST_MAX_DOWNLOAD is '{text}'"):
        settings.max_download()


def test_the_token_is_the_variable_else_the_file_of_the_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.hub_token() is None
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    (tmp_path / "token").write_text("hf_file\n")
    assert settings.hub_token() == "hf_file"
    monkeypatch.setenv("HF_TOKEN", "hf_variable ")
    assert settings.hub_token() == "hf_variable"
