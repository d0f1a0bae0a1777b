"""A race from the command line: what it says while it goes on and at its end, and that `kill -9` changes nothing."""

from __future__ import annotations

import signal
import time

import pytest

from core.store import Store
from tests.conftest import REPO

POOR, GOOD = "helpdesk-lab/ticket-router-bert-tiny", "quietmail/ticket-electra-small"
"""Right on 83 and 95 of 100 tickets."""
ROWS = 300


@pytest.fixture
def race(plan):
    """A plan in which the poor one leaves the race after its first round."""

    def write(name: str, **changes):
        return plan(
            name,
            dataset={"path": str(REPO / "samples/data/tickets.csv"), "sample": {"size": ROWS}},
            candidates=[{"model": model, "source": "samples"} for model in (POOR, GOOD)],
            metrics=["accuracy"],
            race=True,
            **{"latency": {"batch_sizes": []}, **changes},
        )

    return write


def stops(document):
    """Model → where it left, without the leader's id."""
    return {one["model"]: one["stopped"] and {**one["stopped"], "leader": ""} for one in document["trials"]}


def test_a_race_says_who_left_it_and_what_it_saved(cli, race):
    said = cli("run", race("race.yaml"))
    assert said.code == 0
    assert "2 trials on 300 rows: " in said.err
    assert "The least if the race is decided after its first 256 rows" in said.err
    rows = "stopped after 256 rows: surely worse, −"
    assert f"ticket-router-bert-tiny: {rows}" in said.err
    assert f"ticket-router-bert-tiny: {rows}" in said.out
    assert "left the race" in said.out
    summary = "1 of 2 trials left it, 512 of 600 rows were answered"
    assert f"race: {summary}" in said.out
    document = cli("report", "latest", "--format", "json").document
    assert document["race"] == {
        "trials": 2, "left": 1, "answered": 512, "rows": 600, "tolerance": 0.01, "alpha": 0.05,
    }  # fmt: skip
    assert [one["model"] for one in document["trials"] if one["trial"] == document["winner"]] == [GOOD]
    for format in ("md", "html"):
        told = cli("report", "latest", "--format", format).out
        assert summary in told
        assert rows in told


def test_a_race_killed_in_its_first_round_resumes_to_the_same_stops(cli, process, race, tmp_path, monkeypatch):
    path = race("slow.yaml", quality={"batch_size": 1})
    running = process("run", path)
    store = Store()
    while not (found := store.runs()) or not any(one.rows_done for one in store.progress(found[0].id).outcomes):
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.communicate(timeout=60)
    before = store.progress(found[0].id).outcomes
    store.close()
    assert sum(one.rows_done for one in before) < 512
    assert not any(one.stopped for one in before)

    again = cli("run", path, "--json")
    assert again.code == 0, again.err
    resumed = again.document
    assert [one["trial"] for one in resumed["trials"]] == [one.trial for one in before]
    monkeypatch.setenv("SHORTLIST_HOME", str(tmp_path / "undisturbed"))
    undisturbed = cli("run", race("at-once.yaml"), "--json").document
    assert stops(resumed) == stops(undisturbed)
    assert stops(resumed)[POOR]["rows"] == 256
    assert stops(resumed)[GOOD] is None
    assert resumed["race"] == undisturbed["race"]
