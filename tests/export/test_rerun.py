"""The exported folder in another place: its plan measures the same, its script answers the same."""

import io
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from core import registry
from core.engine.plan import read
from core.errors import UnknownName, UserError
from core.export.bundle import bundle, name, write
from core.export.predictions import answers
from tests.export.measured import measure, plan

TASKS = ["text-classification", "summarization"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return {task: measure(plan(tmp_path_factory.mktemp("run") / task, task)) for task in TASKS}


@pytest.mark.parametrize("task", TASKS)
def test_the_unpacked_plan_measures_the_same_rows_with_the_same_result(task, runs, tmp_path):
    run = runs[task]
    zipfile.ZipFile(io.BytesIO(bundle(run, run.outcomes[0].trial))).extractall(tmp_path / "unpacked")
    again = measure(read(tmp_path / "unpacked" / "plan.yaml"))
    assert again.evalset.id == run.evalset.id
    assert again.evalset.ids == run.evalset.ids
    assert [answers(outcome) for outcome in again.outcomes] == [answers(outcome) for outcome in run.outcomes]
    assert [outcome.trial for outcome in again.outcomes] == [outcome.trial for outcome in run.outcomes]


def test_the_script_alone_answers_as_was_measured_with_the_model_from_the_hub(runs, tmp_path):
    run = runs["text-classification"]
    outcome = run.outcomes[0]
    spec = replace(outcome.spec, source="hub", model="org/tiny", revision="0123456789" * 4)
    on_hub = replace(run, outcomes=(replace(outcome, spec=spec),))
    [script] = write(on_hub, outcome.trial, tmp_path / "out", ["script"])
    # What the Hub has given before is in the cache, so the script finds it there without a network.
    cached = Path(os.environ["HF_HOME"]) / "hub" / "models--org--tiny" / "snapshots" / spec.revision
    shutil.copytree(Path(outcome.spec.source) / outcome.spec.model, cached)
    lines = [row["text"] for row in run.evalset.inputs]
    # Nothing of this repository may be needed: another folder, no PYTHONPATH.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, str(script)],
        input="\n".join([*lines, "", lines[0]]),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    measured = answers(outcome)
    assert done.stdout.splitlines() == [*(measured[row] for row in range(len(lines))), "", measured[0]]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("row", [0, 5])
def test_the_script_takes_a_text_and_a_folder_from_the_command_line(task, row, runs, tmp_path, monkeypatch, capsys):
    run = runs[task]
    spec = run.outcomes[0].spec
    [script] = write(run, run.outcomes[0].trial, tmp_path, ["script"])
    folder = f"{spec.source}/{spec.model}"
    monkeypatch.setattr(sys, "argv", ["predict.py", "--model", folder, *run.evalset.inputs[row]["text"].split()])
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip() == answers(run.outcomes[0])[row]


def test_a_bundle_holds_every_format_once_and_is_equal_for_equal_runs(runs):
    run = runs["text-classification"]
    made = bundle(run, run.outcomes[0].trial)
    archive = zipfile.ZipFile(io.BytesIO(made))
    assert archive.testzip() is None
    assert sorted(archive.namelist()) == sorted(format.filename for format in registry.formats().values())
    assert made == bundle(run, run.outcomes[0].trial)
    assert name(run, run.outcomes[0].trial) == "shortlist-tiny-cpu-float32.zip"


def test_a_plan_written_alone_brings_the_rows_it_refers_to(runs, tmp_path):
    run = runs["text-classification"]
    written = write(run, run.outcomes[0].trial, tmp_path / "new" / "folder", ["plan"])
    assert sorted(path.name for path in written) == ["plan.yaml", "rows.jsonl"]
    assert all(path.is_file() for path in written)


def test_nothing_is_written_where_a_format_is_not_known(runs, tmp_path):
    run = runs["text-classification"]
    with pytest.raises(UnknownName, match="htm") as caught:
        write(run, run.outcomes[0].trial, tmp_path / "out", ["plan", "htm"])
    assert "html" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(runs, tmp_path):
    run = runs["text-classification"]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        write(run, run.outcomes[0].trial, tmp_path / "file")
