from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from core.analysis import classes, versus, views
from core.analysis.ranking import choose
from core.analysis.summary import analyse
from core.analysis.wording import (
    count,
    cut_middle,
    megabytes,
    milliseconds,
    model_names,
    points,
    three_digits,
    trial_names,
)
from core.metrics.precision_recall_f1 import OTHER
from core.records import Limits, Variant
from tests.analysis.factory import CPU, GPU, make_run

CUDA = Variant(device="cuda")


@pytest.fixture(scope="module")
def analysis():
    return analyse(make_run(4, 200, 3, variants=(CPU, CUDA), failed=1))


@pytest.fixture(scope="module")
def ranking(analysis):
    return choose(analysis)


def test_the_leaderboard_has_every_trial_with_its_own_numbers(analysis, ranking):
    rows = views.leaderboard(analysis, ranking)
    assert [row.trial for row in rows] == list(ranking.order)
    assert [row.place for row in rows] == [1, 2, 3, 4, 5]
    first = rows[0]
    trial = analysis.trial(first.trial)
    assert first.winner
    assert first.scores == trial.scores
    assert first.p50_ms == trial.latency[1].percentiles[50]
    assert first.p95_ms == trial.latency[1].percentiles[95]
    assert (first.memory_mb, first.load_seconds) == (trial.memory(), trial.outcome.load_seconds)
    assert rows[-1].failure.kind == "load"
    assert np.isnan(rows[-1].memory_mb)


def test_the_points_are_quality_and_p95_at_batch_one(analysis, ranking):
    view = views.quality_latency(analysis, ranking, limits=Limits(latency_p95_ms=7, min_metrics={"accuracy": 0.5}))
    assert (view.percentile, view.batch_size, view.latency_limit, view.quality_limit) == (95, 1, 7, 0.5)
    for point in view.points:
        trial = analysis.trial(point.trial)
        assert point.latency == trial.latency[1].percentiles[95]
        assert point.quality == trial.scores["accuracy"]
    assert view.missing == (analysis.trials[-1].name,)
    assert any(point.front for point in view.points)


def test_with_few_calls_the_points_show_medians_and_no_p95_limit():
    analysis = analyse(make_run(2, 50, calls=60, limits=Limits(latency_p95_ms=50)))
    view = views.quality_latency(analysis, choose(analysis))
    assert (view.percentile, view.percentile_name, view.latency_limit) == (50, "median", None)


def test_devices_are_compared_at_the_same_precision(analysis):
    rows = views.by_device(analysis)
    assert [row.model for row in rows] == ["model-00", "model-01"]
    cpu, cuda = rows[0].cells["cpu"], rows[0].cells["cuda"]
    assert rows[0].speedup() == pytest.approx(cpu.p50_ms.value / cuda.p50_ms.value)
    assert rows[0].throughput_ratio() == pytest.approx(5)
    assert np.isnan(rows[0].speedup(fast="mps"))
    assert not views.by_device(analyse(make_run(2, 50, variants=(CPU, GPU))))


def test_latency_curves_rise_to_one_and_are_sorted_by_median(analysis, ranking):
    curves = views.latency_curves(analysis, ranking)
    assert [curve.p50.value for curve in curves] == sorted(curve.p50.value for curve in curves)
    for curve in curves:
        assert curve.share[-1] == 1
        assert (np.diff(curve.milliseconds) >= 0).all()
    assert not views.latency_curves(analysis, ranking, batch_size=64)


def test_stages_and_batches_are_those_of_the_trials(analysis, ranking):
    stage = views.stages(analysis)[0]
    assert stage.preprocess + stage.forward + stage.postprocess == pytest.approx(
        analysis.trial(stage.trial).latency[1].mean
    )
    line = views.batch_sweep(analysis, ranking)[0]
    assert line.batch_sizes == (1, 8)
    assert line.rows_per_second[1] == pytest.approx(8000 / analysis.trial(line.trial).latency[8].mean)


def test_memory_is_there_phase_by_phase_beside_what_was_predicted(analysis, ranking):
    rows = views.memory(analysis, ranking)
    peaks = [row.peak for row in rows]
    assert peaks == sorted(peaks)
    outcome = analysis.trial(rows[0].trial).outcome
    assert rows[0].predicted == pytest.approx(outcome.candidate.parameters * 4 * 1.2 / 1e6)
    assert list(rows[0].phases) == ["load", "quality", "batch 1", "batch 8"]
    assert max(rows[0].phases.values()) == rows[0].peak


def test_memory_of_older_runs_has_one_phase_and_an_unknown_model_no_prediction():
    run = make_run(1, 50)
    old = replace(run.outcomes[0], memory_mb={"peak": 200.0, "model": 90.0}, candidate=None)
    analysis = analyse(replace(run, outcomes=(old,)))
    row = views.memory(analysis, choose(analysis))[0]
    assert row.phases == {"all": 200}
    assert np.isnan(row.predicted)


def test_confusion_and_classes_equal_scikit_learn(analysis):
    trial = analysis.trials[0]
    references, labels = analysis.run.evalset.references, analysis.run.evalset.labels
    matrix = classes.confusion(analysis, trial.id)
    assert matrix.counts.tolist() == confusion_matrix(references, trial.answers, labels=labels).tolist()
    assert np.allclose(matrix.shares.sum(axis=1), 1)
    precision, recall, f1, support = precision_recall_fscore_support(references, trial.answers, labels=labels)
    table = classes.per_class(analysis, trial.id)
    assert [row.precision for row in table] == pytest.approx(precision.tolist())
    assert [row.recall for row in table] == pytest.approx(recall.tolist())
    assert [row.f1 for row in table] == pytest.approx(f1.tolist())
    assert [row.support for row in table] == support.tolist()
    mistakes = classes.most_confused(matrix, 2)
    off = matrix.counts - np.diag(np.diag(matrix.counts))
    assert mistakes[0][2] == off.max()


def test_an_answer_that_is_no_label_of_the_data_has_its_own_column():
    run = make_run(1, 30)
    first = run.outcomes[0].chunks[0]
    strange = replace(first, predictions=({"answer": "spam"}, *first.predictions[1:]))
    run = replace(run, outcomes=(replace(run.outcomes[0], chunks=(strange,)),))
    analysis = analyse(run)
    matrix = classes.confusion(analysis, analysis.trials[0].id)
    assert matrix.answers[-1] == OTHER
    assert matrix.counts[:, -1].sum() == 1


def test_texts_have_no_confusion_matrix():
    analysis = analyse(make_run(1, 10, task="summarization"))
    assert classes.confusion(analysis, analysis.trials[0].id) is None
    assert classes.per_class(analysis, analysis.trials[0].id) == []


def test_forest_and_differences_tell_the_same_story(analysis, ranking):
    rows = versus.forest(analysis, ranking.leader)
    table = versus.differences(analysis)
    column = table.trials.index(ranking.leader)
    for row in rows:
        assert row.difference == pytest.approx(table.difference[table.trials.index(row.trial), column])
        assert row.low <= row.difference <= row.high
    assert np.array_equal(table.difference, -table.difference.T)
    assert [row.difference for row in rows] == sorted((row.difference for row in rows), reverse=True)


def test_enough_rows_speaks_of_the_best_two_within_the_limits():
    analysis = analyse(make_run(3, 400, accuracies=(0.5, 0.90, 0.92)))
    found = versus.enough_rows(analysis, choose(analysis))
    assert (found.best, found.second, found.rows) == ("model-02", "model-01", 400)
    assert found.pair.difference == pytest.approx(0.02)
    assert found.needed > 400
    assert 0 < found.detectable < 0.1
    assert versus.enough_rows(analysis, choose(analysis, Limits(min_metrics={"accuracy": 0.91}))) is None


def test_names_keep_what_tells_models_apart():
    assert model_names(["a/bert", "b/bert", "c/tiny"]) == {"a/bert": "a/bert", "b/bert": "b/bert", "c/tiny": "tiny"}
    assert cut_middle("distilbert-base-uncased-finetuned-sst-2-english", 20).endswith("english")
    assert len(cut_middle("x" * 100)) == 28


def test_trials_are_named_by_what_differs():
    run = make_run(4, 10, variants=(CPU, GPU))
    assert trial_names([one.spec for one in run.outcomes])[:2] == ["model-00 · CPU · fp32", "model-00 · GPU · bf16"]
    specs = [one.spec for one in make_run(2, 10).outcomes]
    assert trial_names(specs) == ["model-00", "model-01"]
    assert trial_names([specs[0], replace(specs[0], repeat=1)]) == ["model-00 · repeat 0", "model-00 · repeat 1"]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (milliseconds(0.01234), "0.0123 ms"),
        (milliseconds(12.345), "12.3 ms"),
        (milliseconds(1234.5), "1,234 ms"),
        (megabytes(999), "999 MB"),
        (megabytes(1234), "1.23 GB"),
        (count(66_000_000), "66 M"),
        (count(None), "–"),
        (points(-0.0312), "−3.1"),
        (points(-0.0), "0.0"),
        (three_digits(float("nan")), "–"),
    ],
)
def test_numbers_as_people_read_them(shown, expected):
    assert shown == expected
