"""The Hub of the tests is held to the libraries that use the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from tests.catalog.checkpoints import make_checkpoint
from tests.hub_server import HubServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder as the server takes it: one model with counts, one data set."""
    make_checkpoint(tmp_path / "root" / "models" / "org" / "tiny", parameters=12)
    (tmp_path / "root" / "models" / "org" / "tiny.json").write_text(json.dumps({"downloads": 5}))
    data = tmp_path / "root" / "datasets" / "org" / "rows"
    data.mkdir(parents=True)
    (data / "train.csv").write_text("text,label\ngood,1\nbad,0\n")
    (data / "README.md").write_text("---\nlicense: mit\ntask_categories: [text-classification]\n---\n")
    return tmp_path / "root"


def test_the_library_reads_sizes_and_headers(root: Path):
    with HubServer(root) as hub:
        api = HfApi(endpoint=hub.url, token=False)
        info = api.model_info("org/tiny", files_metadata=True)
        sizes = {file.rfilename: file.size for file in info.siblings or ()}
        assert sizes["model.safetensors"] == (root / "models/org/tiny/model.safetensors").stat().st_size
        assert api.get_safetensors_metadata("org/tiny").parameter_count == {"F32": 12}
        assert [row.id for row in api.list_datasets(filter="task_categories:text-classification")] == ["org/rows"]
        assert info.downloads == 5


def test_as_a_process_it_serves_a_data_set_and_takes_faults(root: Path, tmp_path: Path):
    command = [sys.executable, "-m", "tests.hub_server", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            code = "import datasets; print(datasets.load_dataset('org/rows', split='train')[:])"
            environment = os.environ | {
                "HF_ENDPOINT": url,
                "HF_HOME": str(tmp_path / "hf"),
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            }
            shown = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=60
            )
            assert shown.stdout.strip() == "{'text': ['good', 'bad'], 'label': [1, 0]}", shown.stderr
            fault = json.dumps({"path": "/api/models*", "status": 500}).encode()
            urllib.request.urlopen(urllib.request.Request(f"{url}/_faults", fault, method="POST")).close()
            with pytest.raises(urllib.error.HTTPError, match="500") as error:
                urllib.request.urlopen(f"{url}/api/models")
            error.value.close()
        finally:
            server.terminate()
