from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import psutil

from core.jobs import child
from tests.conftest import REPO
from tests.jobs import targets
from tests.jobs.test_local import wait_until


def test_a_process_ends_when_its_runner_is_killed_though_it_never_speaks(tmp_path: Path) -> None:
    folder = tmp_path / "trial"
    (folder / "work").mkdir(parents=True)
    script = f"from tests.jobs.test_child import start; start({str(folder)!r})"
    runner = subprocess.Popen([sys.executable, "-c", script], cwd=REPO, stdout=subprocess.PIPE, text=True)
    assert runner.stdout is not None
    process = psutil.Process(int(runner.stdout.readline()))
    assert process.is_running()
    runner.kill()
    runner.wait()
    runner.stdout.close()
    wait_until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    assert not folder.exists()


def start(folder: str) -> None:
    context = multiprocessing.get_context("spawn")
    connection, its_connection = context.Pipe()
    its_lifeline, _lifeline = context.Pipe(duplex=False)
    process = context.Process(target=child.enter, args=(targets.sleep, its_connection, its_lifeline, folder))
    process.start()
    connection.recv_bytes()  # it is up
    print(process.pid, flush=True)
    process.join()
