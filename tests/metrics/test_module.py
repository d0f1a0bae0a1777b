"""A local `evaluate` module as a metric: loaded from its folder, never from the network."""

from __future__ import annotations

import numpy as np
import pytest

from core import registry
from core.analysis.intervals import score
from core.engine import plan as plans
from core.errors import PlanError, UserError
from core.metrics import module

SCRIPT = """
import datasets
import evaluate


class Toy(evaluate.Metric):
    def _info(self):
        return evaluate.MetricInfo(
            description="share of equal answers", citation="", inputs_description="",
            features=datasets.Features({{"predictions": {kind}, "references": {references}}}),
        )

    def _compute(self, predictions, references):
        return {compute}
"""
INT = 'datasets.Value("int32")'
STRING = 'datasets.Value("string")'
EQUAL = "{'rows': len(references), '%s': sum(p == r for p, r in zip(predictions, references)) / len(references)}"
LABELS = ("ham", "spam")


@pytest.fixture
def written(tmp_path):
    def write(name, kind=INT, references=None, compute=None):
        folder = tmp_path / name
        folder.mkdir()
        text = SCRIPT.format(kind=kind, references=references or kind, compute=compute or EQUAL % name)
        (folder / f"{name}.py").write_text(text)
        return folder

    return write


@pytest.fixture
def classification():
    return registry.task("text-classification")


def of(name, task, answers, references):
    metric = registry.metric(name, task)
    rows = metric.rows([{"answer": answer} for answer in answers], references, LABELS, {})
    return metric, rows


def test_label_names_become_class_ids_where_the_module_wants_numbers(written, classification):
    name = module.module_name(str(written("toy_ids")))
    metric, rows = of(name, classification, ["spam", "ham", "egg", "ham"], ["spam", "spam", "ham", "ham"])
    assert rows.tolist() == [[1, 1], [0, 1], [-1, 0], [0, 0]]
    found = score(metric, rows, LABELS, {})
    assert found.value == 0.5  # the number called like the module, not the first one
    assert found.low < 0.5 < found.high


def test_texts_stay_texts_and_a_single_one_is_a_list_where_the_module_wants_lists(written):
    several = f"datasets.Sequence({STRING})"
    folder = written("toy_texts", STRING, several, "{'found': sum(p in r for p, r in zip(predictions, references))}")
    metric = registry.metric(module.module_name(str(folder)), registry.task("summarization"))
    rows = metric.rows([{"answer": "a"}, {"answer": "b"}], ["a", ["c", "b"]], (), {})
    assert rows.tolist() == [["a", ["a"]], ["b", ["c", "b"]]]
    assert metric.weighted(rows, np.array([[1.0, 1.0], [2.0, 0.0]]), (), {}).tolist() == [2.0, 2.0]


def test_resamples_after_the_first_two_hundred_repeat_them(written, classification):
    metric, rows = of(
        module.module_name(str(written("toy_count", compute="{'ones': sum(predictions)}"))),
        classification,
        ["spam"] * 3,
        ["spam"] * 3,
    )
    weights = np.random.default_rng(0).multinomial(3, [0.2, 0.3, 0.5], size=450)
    weights[:, 0] += np.arange(450)
    values = metric.weighted(rows, weights, LABELS, {})
    assert values.shape == (450,)
    assert values[:200].tolist() == weights[:200].sum(axis=1).tolist()
    assert values[200:400].tolist() == values[:200].tolist()


def test_a_named_value_counts_and_less_can_be_better(written, classification):
    folder = written("toy_many", compute="{'first': 0.25, 'second': 0.75, 'note': 'text'}")
    name = module.module_name(str(folder), value="second", higher_is_better=False)
    metric, rows = of(name, classification, ["ham"], ["ham"])
    assert metric.weighted(rows, np.ones((1, 1)), LABELS, {}).tolist() == [0.75]
    assert not metric.higher_is_better
    other, rows = of(module.module_name(str(folder), value="third"), classification, ["ham"], ["ham"])
    with pytest.raises(UserError, match="gives first, second, not 'third'"):
        other.weighted(rows, np.ones((1, 1)), LABELS, {})


def test_a_resample_that_the_module_cannot_score_is_undefined_but_the_rows_themselves_must_be_scored(
    written, classification
):
    folder = written("toy_fragile", compute="{'inverse': 1 / (len(references) - 2)}")
    metric, rows = of(module.module_name(str(folder)), classification, ["ham"] * 3, ["ham"] * 3)
    assert np.isnan(metric.weighted(rows, np.array([[1, 1, 0]]), LABELS, {})).all()
    with pytest.raises(UserError, match="ZeroDivisionError"):
        metric.weighted(rows[:2], np.ones((1, 2)), LABELS, {})


def test_a_module_says_what_it_wants_where_the_rows_do_not_suit(written):
    metric = registry.metric(module.module_name(str(written("toy_numbers"))), registry.task("summarization"))
    with pytest.raises(UserError, match=r"int32.*'a text'"):
        metric.rows([{"answer": "a text"}], ["another"], (), {})


def test_only_a_path_on_this_machine_is_run(tmp_path, written, classification):
    with pytest.raises(PlanError, match="none from the network"):
        registry.metric("module:accuracy", classification)
    folder = written("toy_fetching")
    script = folder / "toy_fetching.py"
    script.write_text("import bleu_tools  # From: https://example.org/bleu.py\n" + script.read_text())
    with pytest.raises(PlanError, match="imports code from an address"):
        registry.metric(module.module_name(str(folder)), classification)


def test_a_broken_module_is_told(written, classification):
    folder = written("toy_broken")
    (folder / "toy_broken.py").write_text("import evaluate\nclass Toy(evaluate.Metric)\n")
    with pytest.raises(UserError, match="cannot be loaded"):
        of(module.module_name(str(folder)), classification, ["ham"], ["ham"])


@pytest.mark.parametrize("more", [{}, {"value": "f1", "higher_is_better": False}])
def test_a_plan_names_a_module_by_its_path_and_is_written_back(tmp_path, written, more):
    folder = written("toy_planned")
    data = {
        "task": "text-classification",
        "dataset": {"path": "rows.csv"},
        "candidates": [{"model": "org/name"}],
        "metrics": ["accuracy", {"module": "./toy_planned", **more}],
    }
    plan = plans.parse(data, base=tmp_path)
    assert plan.metrics[0] == "accuracy"
    assert module.module_settings(plan.metrics[1]) == {"module": str(folder), **more}
    (tmp_path / "plan.yaml").write_text(plans.to_yaml(plan))
    assert plans.read(tmp_path / "plan.yaml") == plan


def test_a_module_that_is_not_there_is_a_plan_error(tmp_path):
    data = {"task": "text-classification", "dataset": {"path": "rows.csv"}, "candidates": [{"model": "org/name"}]}
    with pytest.raises(PlanError, match=r"metrics: There is no evaluate module"):
        plans.parse(data | {"metrics": [{"module": "nowhere"}]}, base=tmp_path)
    with pytest.raises(PlanError, match="Unknown key 'modul' in metrics"):
        plans.parse(data | {"metrics": [{"modul": "nowhere"}]}, base=tmp_path)
