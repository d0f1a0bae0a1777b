from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import registry
from core.engine import plan as plans
from core.engine import yaml_text
from core.errors import PlanError
from core.records import DatasetSpec, Limits, Plan, PlanCandidate, Protocol, Sample, Variant

WHOLE = """
task: text-classification
dataset:
  path: reviews.csv
  reader: csv
  columns: {text: sentence, label: 1}
  labels: {0: negative, 1: positive}
  sample: {size: 500, seed: 7, stratify: false}
candidates:
  - model: org/name
    revision: 0123abcd
    labels: {LABEL_0: negative, LABEL_1: positive}
  - model: ./local
    variants:
      - {device: cpu, dtype: float16}
variants:
  - {device: cpu, dtype: float32, backend: torch}
  - {device: cuda, dtype: bfloat16, backend: torch, threads: 2}
metrics: [accuracy, f1]
f1_average: macro
quality: {batch_size: 32, batch_tokens: 1024, screen: off, compile: off}
race: {tolerance: 0.005, alpha: 0.1}
latency:
  {batch_sizes: [1, 16], min_calls: 50, min_seconds: 1, max_seconds: 1m, warmup: 5, server: {p99_ms: 50, max_batch: 4}}
generation: {max_new_tokens: 20, num_beams: 4}
timeout: 1h30m
max_memory_mb: 8000
limits: {latency_p95_ms: 50, memory_mb: 2000, params: 150M, licenses: permissive, min_f1: 0.8}
"""
SHORT = {"task": "text-classification", "dataset": {"path": "a.csv"}, "candidates": [{"model": "org/name"}]}


def read(text, folder=Path("/plans")):
    return plans.parse(yaml_text.load(text), folder)


def error(**changes):
    data = {key: value for key, value in {**SHORT, **changes}.items() if value is not ...}
    with pytest.raises(PlanError) as caught:
        plans.parse(data)
    return caught.value


def test_every_key_of_the_plan_file_is_read():
    assert read(WHOLE) == Plan(
        task="text-classification",
        dataset=DatasetSpec(
            path="/plans/reviews.csv",
            reader="csv",
            columns={"text": "sentence", "label": 1},
            labels={"0": "negative", "1": "positive"},
            sample=Sample(500, 7, False),
        ),
        candidates=(
            PlanCandidate("org/name", revision="0123abcd", labels={"LABEL_0": "negative", "LABEL_1": "positive"}),
            PlanCandidate("/plans/local", variants=(Variant(dtype="float16"),)),
        ),
        variants=(Variant(), Variant("cuda", "bfloat16", threads=2)),
        metrics=("accuracy", "f1"),
        options={"f1_average": "macro"},
        protocol=Protocol(
            *(32, 1024, (1, 16), 50, 1.0, 60.0, 5, 20, 4, 5400.0, 8000),
            screen=False,
            compile=False,
            race=True,
            race_tolerance=0.005,
            race_alpha=0.1,
            server_p99_ms=50.0,
            server_max_batch=4,
        ),
        limits=Limits(50.0, 2000.0, 150_000_000, None, ("permissive",), {"f1": 0.8}),
    )


def test_a_short_plan_runs_on_the_cpu_with_the_usual_protocol():
    plan = plans.parse(SHORT)
    assert plan.variants == (Variant(),)
    assert plan.protocol == Protocol()
    assert plan.metrics == ()


def test_a_whole_plan_is_written_as_people_write_it():
    assert plans.to_yaml(read(WHOLE)) == (
        """\
task: text-classification

dataset:
  path: /plans/reviews.csv
  reader: csv
  columns: {text: sentence, label: 1}
  labels: {'0': negative, '1': positive}
  sample: {size: 500, seed: 7, stratify: false}

candidates:
  - model: org/name
    revision: 0123abcd
    labels: {LABEL_0: negative, LABEL_1: positive}
  - model: /plans/local
    variants:
      - {device: cpu, dtype: float16, backend: torch}

variants:
  - {device: cpu, dtype: float32, backend: torch}
  - {device: cuda, dtype: bfloat16, backend: torch, threads: 2}

metrics: [accuracy, f1]
f1_average: macro
quality: {batch_size: 32, batch_tokens: 1024, screen: 'off', compile: 'off'}
race: {tolerance: 0.005, alpha: 0.1}

latency:
  batch_sizes: [1, 16]
  min_calls: 50
  min_seconds: 1
  max_seconds: 60
  warmup: 5
  server: {p99_ms: 50, max_batch: 4}

generation: {max_new_tokens: 20, num_beams: 4}
timeout: 1h30m
max_memory_mb: 8000
limits: {latency_p95_ms: 50, memory_mb: 2000, params: 150M, licenses: [permissive], min_f1: 0.8}
"""
    )


names = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=12)
number = st.floats(0, 1e6, allow_nan=False)
variant = st.sampled_from(list(registry.backends().values())).flatmap(
    lambda backend: st.builds(
        Variant,
        st.sampled_from(backend.devices),
        st.sampled_from(backend.dtypes),
        st.just(backend.name),
        st.sampled_from(backend.quantizations),
        st.none() | st.integers(1, 64),
    )
)
variants = st.lists(variant, min_size=1, max_size=3).map(tuple)
mapping = st.dictionaries(names, names, max_size=8)
dataset = st.builds(
    DatasetSpec,
    path=names,
    config=st.none() | names,
    split=st.none() | names,
    revision=st.none() | names,
    reader=st.none() | names,
    columns=st.dictionaries(names, names | st.integers(0, 9), max_size=3),
    labels=mapping,
    sample=st.none() | st.builds(Sample, st.integers(1, 9999), st.integers(0, 99), st.booleans()),
)
candidate = st.builds(
    PlanCandidate, names, st.none() | names, st.none() | names, labels=mapping, variants=st.none() | variants
)
race = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"race": st.just(True), "race_tolerance": number, "race_alpha": st.floats(0.001, 0.9)}),
)
server = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"server_p99_ms": st.floats(0.01, 1e6), "server_max_batch": st.integers(1, 64)}),
)
protocol = st.builds(
    lambda protocol, race, server: replace(protocol, **race, **(server if protocol.latency_batch_sizes else {})),
    st.builds(
        Protocol,
        st.integers(1, 512),
        st.integers(1, 9999),
        st.lists(st.integers(1, 64), unique=True, max_size=4).map(tuple),
        st.integers(1, 2000),
        number,
        st.just(1e6),
        st.integers(0, 50),
        st.integers(1, 512),
        st.integers(1, 8),
        number,
        st.none() | st.integers(1, 10**6),
    ),
    race,
    server,
)
limits = st.builds(
    Limits,
    st.none() | number,
    st.none() | number,
    st.none() | st.integers(1, 10**12),
    st.none() | number,
    st.lists(names, unique=True, max_size=3).map(tuple),
    st.dictionaries(st.sampled_from(["accuracy", "f1"]), number),
)


def raceable(plan):
    """The plan without a race where its first metric has none."""
    return (
        plan
        if plan.metrics[:1] != ("f1",)
        else replace(plan, protocol=replace(plan.protocol, race=False, race_tolerance=0.01, race_alpha=0.05))
    )


some_plan = st.builds(
    lambda *parts: raceable(Plan(*parts)),
    st.just("text-classification"),
    dataset,
    st.lists(candidate, min_size=1, max_size=3).map(tuple),
    variants,
    st.lists(st.sampled_from(["accuracy", "f1"]), unique=True).map(tuple),
    st.dictionaries(st.just("f1_average"), st.sampled_from(["macro", "micro", "weighted"])),
    protocol,
    limits,
)


@settings(max_examples=60, deadline=None)
@given(some_plan)
def test_what_is_written_reads_back_the_same(plan):
    text = plans.to_yaml(plan)
    assert plans.parse(yaml_text.load(text)) == plan
    assert plans.plan_hash(plans.parse(yaml_text.load(text))) == plans.plan_hash(plan)


@settings(max_examples=25, deadline=None)
@given(some_plan)
def test_any_yaml_reader_understands_it(plan):
    import yaml

    assert plans.parse(yaml.safe_load(plans.to_yaml(plan))) == plan


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_plan_or_a_plan_error(text):
    with pytest.raises(PlanError):
        read(text)


def test_the_hash_changes_with_the_content():
    plan = plans.parse(SHORT)
    assert plans.plan_hash(plan) == plans.plan_hash(plans.parse(SHORT))
    assert plans.plan_hash(plan) != plans.plan_hash(replace(plan, metrics=("f1",)))


@pytest.mark.parametrize(
    ("changes", "wrong", "near"),
    [
        ({"metrcs": ["f1"]}, "Unknown key 'metrcs' in the plan", "'metrics'"),
        ({"f1_avrage": "macro"}, "Unknown key 'f1_avrage'", "'f1_average'"),
        ({"dataset": {"pth": "a.csv"}}, "Unknown key 'pth' in dataset", "'path'"),
        ({"dataset": {"path": "a", "sample": {"sise": 3}}}, "Unknown key 'sise' in dataset.sample", "'size'"),
        ({"candidates": [{"modle": "org/name"}]}, "Unknown key 'modle' in candidates[0]", "'model'"),
        ({"variants": [{"dtyp": "float32"}]}, "Unknown key 'dtyp' in variants[0]", "'dtype'"),
        ({"limits": {"min_f2": 0.8}}, "Unknown key 'min_f2' in limits", "'min_f1'"),
        ({"latency": {"batch_size": [1]}}, "Unknown key 'batch_size' in latency", "'batch_sizes'"),
        ({"latency": {"server": {"p99": 50}}}, "Unknown key 'p99' in latency.server", "'p99_ms'"),
        ({"task": "text-clasification"}, "'text-clasification'", "'text-classification'"),
        ({"metrics": ["acuracy"]}, "'acuracy'", "'accuracy'"),
        ({"f1_average": "marco"}, "f1_average is 'marco'", "'macro'"),
        ({"variants": [{"dtype": "bf16"}]}, "variants[0].dtype is 'bf16'", "float32, bfloat16, float16"),
        ({"variants": [{"device": "gpu"}]}, "variants[0].device is 'gpu'", "cpu, cuda, mps"),
        ({"variants": [{"backend": "trch"}]}, "variants[0].backend is 'trch'", "torch"),
    ],
)
def test_a_misspelt_key_or_name_gets_the_right_one(changes, wrong, near):
    caught = error(**changes)
    assert wrong in caught.message
    assert near in caught.hint


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"task": ...}, "lacks the key 'task'"),
        ({"task": 3}, "task must be text; found 3"),
        ({"dataset": ...}, "dataset must be keys with values; found nothing"),
        ({"dataset": "a.csv"}, "dataset must be keys with values; found 'a.csv'"),
        ({"dataset": {}}, "needs either `path` or `repo`; found neither"),
        ({"dataset": {"path": "a", "repo": "o/n"}}, "found both"),
        ({"dataset": {"path": "a", "columns": {"text": 1.5}}}, "dataset.columns.text must be a column's name"),
        ({"dataset": {"path": "a", "columns": "text"}}, "dataset.columns must be keys with values"),
        ({"dataset": {"path": "a", "sample": {"seed": 1}}}, "lacks the key 'size'"),
        ({"dataset": {"path": "a", "sample": {"size": 0}}}, "at least 1; found 0"),
        ({"dataset": {"path": "a", "sample": {"size": 5, "stratify": "no"}}}, "must be true or false; found 'no'"),
        ({"candidates": []}, "names no candidates"),
        ({"candidates": "org/name"}, "candidates must be a list"),
        ({"candidates": ["org/name"]}, "candidates[0] must be keys with values; found 'org/name'"),
        ({"candidates": [{"revision": "a"}]}, "candidates[0] lacks the key 'model'"),
        ({"candidates": [{"model": "o/n", "revision": 123}]}, "candidates[0].revision must be text"),
        ({"variants": []}, "variants is empty"),
        ({"variants": [{"threads": 0}]}, "at least 1; found 0"),
        ({"metrics": ["rougeL"]}, "metrics: Unknown metric of text-classification 'rougeL'"),
        ({"metrics": {"f1": 1}}, "metrics must be a list of names"),
        ({"quality": {"batch_size": True}}, "found True"),
        ({"latency": {"batch_sizes": [0]}}, "latency.batch_sizes must be a list of whole numbers"),
        ({"latency": {"min_seconds": 40}}, "less than min_seconds"),
        ({"latency": {"server": {}}}, "latency.server.p99_ms must be a bound in milliseconds; found nothing"),
        ({"latency": {"server": {"p99_ms": 0}}}, "latency.server.p99_ms must be a bound in milliseconds; found 0"),
        ({"latency": {"server": {"p99_ms": "fast"}}}, "latency.server.p99_ms must be a number"),
        ({"latency": {"server": {"p99_ms": 50, "max_batch": 0}}}, "at least 1; found 0"),
        ({"latency": {"server": {"p99_ms": 9000}}}, "must be kept up for 90 seconds"),
        ({"latency": {"server": {"p99_ms": 50}, "batch_sizes": []}}, "latency.batch_sizes is empty"),
        ({"timeout": "soon"}, "timeout must be a duration; found 'soon'"),
        ({"timeout": -1}, "found -1"),
        ({"limits": {"params": "many"}}, "limits.params: 'many'"),
        ({"limits": {"memory_mb": float("nan")}}, "limits.memory_mb must be a number"),
        ({"limits": {"min_f1": "high"}}, "limits.min_f1 must be a number"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(changes, words):
    assert words in error(**changes).message


@pytest.mark.parametrize("written", [True, {"tolerance": 0.01}, {}])
def test_a_race_is_a_word_or_its_settings(written):
    plan = plans.parse({**SHORT, "race": written})
    assert plan.protocol == Protocol(race=True)
    assert yaml_text.load(plans.to_yaml(plan))["race"] is True
    assert plans.parse({**SHORT, "race": False}).protocol == Protocol()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"race": "yes please"}, "race must be true or false"),
        ({"race": {"tolerence": 0.1}}, "tolerence"),
        ({"race": {"alpha": 0}}, "race.alpha is 0"),
        ({"race": {"alpha": 1.5}}, "race.alpha is 1.5"),
        ({"race": {"tolerance": -1}}, "race.tolerance"),
        ({"race": True, "metrics": ["f1", "accuracy"]}, "no race on f1"),
    ],
)
def test_a_race_that_cannot_be_is_refused_with_the_reason(changes, words):
    assert words in error(**changes).message


@pytest.mark.parametrize(
    ("written", "seconds"), [("90", 90), ("90s", 90), ("30m", 1800), ("1h30m", 5400), ("1.5h", 5400), ("1h 5s", 3605)]
)
def test_durations_are_read_as_people_write_them(written, seconds):
    text = f"task: text-classification\ndataset: {{path: a}}\ncandidates: [{{model: o/n}}]\ntimeout: {written}"
    assert read(text).protocol.timeout_seconds == seconds


def test_labels_are_text_whatever_yaml_makes_of_them():
    text = "task: text-classification\ndataset: {path: a, labels: {0: no, 1: yes, 007: 1, true: off}}\n"
    plan = read(text + "candidates: [{model: o/n, labels: {no: 0}}]")
    assert plan.dataset.labels == {"0": "no", "1": "yes", "007": "1", "true": "off"}
    assert plan.candidates[0].labels == {"no": "0"}


def test_numbers_as_keys_are_text_in_a_plan_from_json_or_python_too():
    plan = plans.parse({**SHORT, "dataset": {"path": "a", "labels": {0: "negative", 1: "positive"}}})
    assert plan.dataset.labels == {"0": "negative", "1": "positive"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: [", "line 1"),
        ("task: a\ntask: b", "line 2, column 1: the key 'task' stands twice"),
        ("? [a, b]\n: c", "a key must be text"),
        ("task: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("when: 2026-99-99", "cannot be read"),
        ("a\x00b", "not valid YAML"),
        ("", "The plan must be keys with values; found nothing"),
        ("- a", "The plan must be keys with values"),
    ],
)
def test_broken_yaml_says_where(text, words):
    with pytest.raises(PlanError) as caught:
        read(text)
    assert words in caught.value.message


def test_paths_start_at_the_plan_file(tmp_path, monkeypatch):
    (tmp_path / "models" / "mine").mkdir(parents=True)
    file = tmp_path / "plan.yaml"
    file.write_text(
        "\ufefftask: text-classification\ndataset: {path: ../rows.csv}\n"
        "candidates: [{model: models/mine}, {model: org/name}, "
        "{model: mine, source: models}, {model: a, source: samples}]",
        encoding="utf-8",
    )
    monkeypatch.chdir("/")
    plan = plans.read(file)
    assert plan.dataset.path == str(tmp_path.parent / "rows.csv")
    assert [(one.model, one.source) for one in plan.candidates] == [
        (str(tmp_path / "models" / "mine"), None),
        ("org/name", None),
        ("mine", str(tmp_path / "models")),
        ("a", "samples"),
    ]


def test_a_plan_that_is_not_there_or_not_text_says_so(tmp_path):
    with pytest.raises(PlanError, match="no plan file"):
        plans.read(tmp_path / "plan.yaml")
    with pytest.raises(PlanError, match="cannot be read"):
        plans.read(tmp_path)
    (tmp_path / "plan.yaml").write_bytes(b"task: \xff")
    with pytest.raises(PlanError, match="cannot be read"):
        plans.read(tmp_path / "plan.yaml")
