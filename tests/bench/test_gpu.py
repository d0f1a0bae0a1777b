"""`bench/gpu.py` carries itself to a machine that has torch, transformers and numpy, and nothing else of ours."""

import json
import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from bench import gpu
from core.engine import environment
from core.records import Variant

REPO = Path(gpu.__file__).resolve().parent.parent


def alone(place):
    """A folder of packages that holds torch, transformers and numpy with what they need, and nothing else."""
    wanted, seen = ["torch", "transformers", "numpy"], set()
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system
            continue
        wanted += [re.match(r"[\w.-]+", one)[0] for one in package.requires or [] if "extra ==" not in one]
        for part in {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}:
            if not (place / part).exists():
                (place / part).symlink_to(package.locate_file(part))
    return place


@pytest.fixture
def table_of_texts(tmp_path):
    def write(name, text):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write


def test_it_measures_with_torch_transformers_and_numpy_alone(tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    alone(packages)
    assert not {"pandas", "streamlit", "psutil", "scipy"} & {file.name for file in packages.iterdir()}
    models, out = tmp_path / "models", tmp_path / "result.json"
    models.mkdir()
    (models / "router").symlink_to(REPO / "samples/models/opendesk/distil-ticket-router")
    command = [sys.executable, "-S", str(REPO / "bench/gpu.py"), "--models", str(models), "--out", str(out)]
    command += ["--devices", "cpu", "--dtypes", "float32", "tf32", "--rows", "12", "--rounds", "1", "--calls", "2"]
    settings = {**os.environ, "PYTHONPATH": str(packages), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=settings, cwd=tmp_path, timeout=240)
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(out.read_text())
    (line,) = document["lines"]  # tf32 is nothing that a CPU does
    assert (line["model"], line["device"], line["dtype"], line["error"]) == ("router", "cpu", "float32", None)
    assert set(line["rows_per_second"]) == {"exact", "pipeline(32)"}
    assert all(least <= middle <= most for middle, least, most in line["rows_per_second"].values())
    assert (line["labels_equal"], line["logit_difference"]) == (1.0, 0.0)
    assert set(line["latency_ms"]) == {"1", "8", "32"}
    assert line["latency_ms"]["8"]["median"] > 0
    assert document["machine"]["torch"]
    assert "| router | cpu | float32 |" in done.stdout


def test_a_gpu_that_is_not_there_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(environment, "devices", lambda: (environment.Device("cpu", "Small CPU"),))
    assert gpu.main(["--models", str(REPO), "--devices", "cuda"]) == 2
    assert capsys.readouterr().err == "error: This machine has no cuda device; found Small CPU.\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--devices", "cpu", "--dtypes", "tf32"], "Nothing is left to measure at tf32 on cpu"),
        (["--devices", "cpu", "--data", "nowhere.csv"], "nowhere.csv"),
        (["--devices", "cpu"], "There is no checkpoint (*/config.json) below"),
    ],
)
def test_what_cannot_be_measured_is_one_line_too(tmp_path, capsys, arguments, words):
    assert gpu.main(["--models", str(tmp_path), *arguments]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert words in told


def test_what_a_gpu_machine_measures(monkeypatch):
    found = (environment.Device("cpu", "CPU"), environment.Device("cuda", "A10"))
    monkeypatch.setattr(environment, "devices", lambda: found)
    monkeypatch.setattr(environment, "version", lambda package: "2.13.0+cu130")
    variants = gpu._variants(None, gpu.DTYPES)
    assert [one.dtype for one in variants if one.device == "cpu"] == ["float32", "bfloat16", "float16"]
    assert [one.dtype for one in variants if one.device == "cuda"] == list(gpu.DTYPES)


def test_texts_are_read_with_and_without_a_header(table_of_texts):
    csv = table_of_texts("a.csv", 'label,text\n0,"one, two"\n1,three\n1,\n')
    assert gpu.read_texts(csv, 10) == ("one, two", "three")
    tsv = table_of_texts("a.tsv", 'a " quote\t0\nanother\t1\nthird\t1\n')
    assert gpu.read_texts(tsv, 10) == ('a " quote', "another", "third")
    assert len(gpu.read_texts(tsv, 2)) == 2
    assert gpu.read_texts(tsv, 2) == gpu.read_texts(tsv, 2)
    with pytest.raises(ValueError, match="holds no texts"):
        gpu.read_texts(table_of_texts("empty.csv", "text\n"), 2)


def test_answers_are_compared_with_the_reference():
    reference = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 1.9], [0.0, 5.0]])
    measured = gpu.Measured({"model": "m"}, reference + np.array([[0, 0], [0, 0], [0, 0.2], [0, 0]]))
    line = gpu.compared(measured, reference)
    assert (line["labels_equal"], round(line["logit_difference"], 9)) == (0.75, 0.2)
    assert gpu.compared(gpu.Measured({"error": "no"}, None), reference) == {"error": "no"}


def test_a_checkpoint_that_does_not_load_is_a_line_that_says_why(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/config.json").write_text("[1]")
    cell = gpu.Cell(tmp_path / "broken", Variant(), ("a",), 1, 1)
    with pytest.raises(gpu.TrialFailed, match="holds a list"):
        gpu.measure(cell)
    line = {"model": "broken", "device": "cpu", "dtype": "float32", "error": "Its config.json holds a list."}
    *_, row = gpu.table([line])
    assert row.startswith("| broken | cpu | float32 | Its config.json holds a list. |")
