"""Ctrl-C and `kill -9` in mid-run lose nothing: the same command goes on and ends as an undisturbed run does."""

from __future__ import annotations

import signal
import time

import pytest

from core.cli.results import find_run
from core.export.predictions import answers
from core.store import Store

ROWS = 1500
SLOW = {"quality": {"batch_size": 1}, "latency": {"batch_sizes": []}}


def rows_done(store: Store) -> int:
    runs = store.runs()
    return store.progress(runs[0].id).outcomes[0].rows_done if runs else 0


@pytest.mark.parametrize(
    ("stop", "code", "flags"),
    [(signal.SIGINT, 3, ()), (signal.SIGINT, 3, ("--fresh",)), (signal.SIGKILL, -signal.SIGKILL, ())],
    ids=["Ctrl-C", "Ctrl-C of --fresh", "kill -9"],
)
def test_a_run_that_was_stopped_goes_on_to_the_undisturbed_result(
    cli, process, plan, rows, tmp_path, monkeypatch, stop, code, flags
):
    path = plan(dataset={"path": str(rows(ROWS))}, **SLOW)
    running = process("run", path, "--json", *flags)
    store = Store()
    while not rows_done(store):
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(stop)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert "Failed to load" not in err, "what a library says of itself at import is not for people"
    assert "register_constant" not in err
    assert code != 3 or "the same command goes on" in err
    before = store.run(store.runs()[0].id).outcomes[0]
    store.close()
    assert 0 < before.rows_done < ROWS

    resumed = cli("run", path, "--json", *flags)
    assert resumed.code == 0
    after = find_run("latest").outcomes[0]
    assert after.trial == before.trial
    assert [chunk.predictions for chunk in after.chunks[: len(before.chunks)]] == [
        chunk.predictions for chunk in before.chunks
    ]
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / "undisturbed"))
    at_once = plan("at-once.yaml", dataset={"path": str(rows(ROWS))}, latency={"batch_sizes": []})
    undisturbed = cli("run", at_once, "--json").document
    assert resumed.document["trials"][0]["metrics"] == undisturbed["trials"][0]["metrics"]
    assert answers(after) == answers(find_run("latest").outcomes[0])
