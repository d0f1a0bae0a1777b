"""The server scenario at the command line."""

from __future__ import annotations

from core.cli.results import print_ranking
from tests.analysis.factory import make_run, with_server


def test_below_the_table_stands_the_highest_rate_of_requests_of_each(capsys):
    print_ranking(with_server(make_run(2, 40)))
    lines = [line for line in capsys.readouterr().out.splitlines() if ", server: " in line]
    assert [line.split(", ")[0] for line in lines] == ["model-00", "model-01"]
    assert all("requests/s with p99 under 100 ms, and not" in line for line in lines)
    print_ranking(make_run(2, 40))
    assert ", server: " not in capsys.readouterr().out
