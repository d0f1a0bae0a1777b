import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.analysis import classes, figures, versus, views
from core.analysis.drawing import log_range, log_ticks, safe
from core.analysis.intervals import Interval
from core.analysis.placement import spread, text_positions
from core.analysis.ranking import choose
from core.analysis.summary import analyse
from core.records import Limits, Variant
from tests.analysis.factory import CPU, make_run


def drawn(run, limits=None):
    """Every figure of a run, by name."""
    analysis = analyse(run)
    ranking = choose(analysis, limits)
    leader = ranking.leader or ""
    pictures = {
        "quality_latency": figures.quality_latency(views.quality_latency(analysis, ranking, limits=limits)),
        "latency": figures.latency_distribution(views.latency_curves(analysis, ranking)),
        "stages": figures.stages(views.stages(analysis)),
        "sweep": figures.batch_sweep(views.batch_sweep(analysis, ranking)),
        "memory": figures.memory(views.memory(analysis, ranking)),
        "devices": figures.devices(views.by_device(analysis)),
        "forest": figures.forest(versus.forest(analysis, leader), "leader", analysis.headline),
        "differences": figures.differences(versus.differences(analysis), analysis.headline),
    }
    matrix = classes.confusion(analysis, ranking.winner) if ranking.winner else None
    return pictures | ({"confusion": figures.confusion(matrix)} if matrix else {})


@pytest.mark.parametrize(
    "run",
    [
        make_run(0, 20, failed=2),
        make_run(1, 1),
        make_run(1, 30, calls=1),
        make_run(4, 60, 3, variants=(CPU, Variant(device="cuda")), failed=1),
        make_run(2, 20, task="summarization"),
        make_run(25, 40, 30),
    ],
    ids=["all failed", "one row", "one call", "devices", "texts", "many"],
)
def test_every_figure_can_be_drawn_and_sent(run):
    for picture in drawn(run).values():
        assert "NaN" not in json.dumps(json.loads(picture.to_json()))


def test_nothing_to_draw_says_so_instead_of_bare_axes():
    for name, picture in drawn(make_run(0, 20, failed=1)).items():
        assert len(picture.data) == 0, name
        assert picture.layout.annotations[0].text.endswith((".", "page."))


def test_points_lie_where_the_view_says_and_the_winner_is_named():
    run = make_run(3, 100)
    analysis = analyse(run)
    ranking = choose(analysis)
    view = views.quality_latency(analysis, ranking)
    traces = [trace for trace in figures.quality_latency(view).data if trace.mode != "lines"]
    assert {(trace.x[0], trace.y[0]) for trace in traces} == {(p.latency.value, p.quality.value) for p in view.points}
    winner = analysis.trial(ranking.winner).name
    assert [trace.text[0] for trace in traces if trace.text and "<b>" in trace.text[0]] == [f"<b>{winner}</b>"]


def test_the_forward_bar_says_what_the_gpu_itself_counted():
    first, *others = views.stages(analyse(make_run(3, 100)))
    rows = [replace(first, device=1.5), *others]
    tokenise, forward, _ = figures.stages(rows).data
    assert [extra for *_, extra in forward.customdata] == ["<br>by the GPU's own clock 1.50 ms", "", ""]
    assert {extra for *_, extra in tokenise.customdata} == {""}


@pytest.mark.parametrize(
    ("limit", "text"), [(6.0, "limit 6.00 ms"), (5000.0, "limit 5,000 ms →"), (0.01, "← limit 0.0100 ms")]
)
def test_a_latency_limit_does_not_blow_up_the_log_axis(limit, text):
    picture = drawn(make_run(3, 100), Limits(latency_p95_ms=limit))["quality_latency"]
    (note,) = [note for note in picture.layout.annotations if "limit" in note.text]
    assert note.text == text
    assert note.x < 4
    assert picture.layout.xaxis.range[1] < 2


def test_a_name_is_text_and_never_markup():
    assert safe("<b>x</b>&<a href='//evil'>") == "&lt;b&gt;x&lt;/b&gt;&amp;&lt;a href=&#x27;//evil&#x27;&gt;"


def test_names_do_not_cover_each_other():
    places = [Interval(x, x, x) for x in (0.5, 0.501, 0.502, 0.503)]
    sides = text_positions(places, places, ["a long name"] * 4, 600, 300)
    assert sides[0] == "top right"
    assert len({side for side in sides if side}) == len([side for side in sides if side])


@given(st.lists(st.floats(-5, 5), max_size=12), st.floats(0.01, 1))
def test_spread_keeps_the_order_and_the_distance(values, least):
    moved = spread(np.array(values), least)
    ordered = moved[np.argsort(values, kind="stable")]
    assert (np.diff(ordered) >= least - 1e-9).all()
    if values:
        assert moved.mean() == pytest.approx(np.mean(values), abs=1e-6 + least * len(values))


@given(st.floats(0.01, 1e4), st.floats(1, 1000))
def test_a_log_axis_has_a_few_round_ticks(low, factor):
    ticks = log_ticks(log_range([Interval(low, low, low * factor)]))
    assert 1 <= len(ticks["tickvals"]) <= 13


def test_plotly_is_only_loaded_to_draw():
    code = (
        "import core.analysis.report, core.analysis.views, core.analysis.figures, sys; print('plotly' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
