"""What every format owes its reader, looped over the registry; then each format's own promises."""

import csv
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from core import registry
from core.analysis.report import report
from core.engine.plan import parse
from core.engine.yaml_text import load
from core.errors import UnknownName, UserError
from core.export.text import slug
from core.records import Failure, PlanCandidate, Variant
from tests.analysis.factory import GPU, make_run, with_server

EVIL = '<script>alert(\'x\')</script>|`=cmd()`\n"""名前'
FORMATS = sorted(registry.formats())


def evil_run():
    """A run in which every word of a stranger tries to break out of the file it is written to."""
    run = make_run(trials=3, rows=30, failed=1)
    spoilt = []
    for outcome in run.outcomes:
        spec = replace(outcome.spec, source="hub", model=f"=cmd()/{EVIL}", revision=f"'); import os #{EVIL}")
        spec = replace(spec, labels={f"LABEL_0{EVIL}": EVIL})
        candidate = replace(outcome.candidate, license=EVIL)
        failure = Failure("load", EVIL) if outcome.failure else None
        environment = {"cpu": EVIL, "torch": f"1\nimport os{EVIL}"}
        spoilt.append(replace(outcome, spec=spec, candidate=candidate, failure=failure, environment=environment))
    inputs = tuple({"text": f"=cmd() {row['text']} {EVIL}"} for row in run.evalset.inputs)
    evalset = replace(run.evalset, inputs=inputs, extras={"=col()": ("=HYPERLINK()",) * 30, "label": (EVIL,) * 30})
    planned = replace(run.plan, candidates=(PlanCandidate("org/model", labels={EVIL: EVIL}),))
    return replace(run, plan=planned, evalset=evalset, outcomes=tuple(spoilt))


@pytest.fixture(scope="module")
def run():
    return make_run(trials=4, rows=60, variants=(Variant(), GPU), failed=1)


@pytest.fixture(scope="module")
def evil():
    return evil_run()


def winner(run):
    return report(run)["winner"]


def test_a_plan_with_a_server_scenario_reads_back(run):
    served = with_server(run, bound_ms=75.0)
    written = registry.format("plan").render(served, served.outcomes[0].trial).decode()
    assert parse(load(written)).protocol.server_p99_ms == 75


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_says_what_it_is(name):
    format = registry.format(name)
    assert format.title
    assert format.description.endswith(".")
    assert format.filename == slug(format.filename)
    assert re.fullmatch(r"[a-z]+/[a-z.+-]+", format.media_type)
    assert set(format.companions) <= set(FORMATS)


def test_no_two_formats_write_the_same_file():
    names = [format.filename for format in registry.formats().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_renders_a_finished_run_the_same_every_time(name, run):
    made = registry.format(name).render(run, winner(run))
    assert made.decode().endswith("\n")
    assert made == registry.format(name).render(run, winner(run))


@pytest.mark.parametrize("name", ["md", "html"])
def test_a_report_marks_the_speed_of_screened_trials_and_says_what_that_is(name, run):
    made = registry.format(name).render(run, winner(run)).decode()
    assert "†" not in made
    first, *others = run.outcomes
    screened = replace(first, environment={**first.environment, "screened": "bfloat16", "rechecked": 0.01})
    made = registry.format(name).render(replace(run, outcomes=(screened, *others)), winner(run)).decode()
    assert "500 †" in made
    assert "Screened: a bf16 copy answered" in made
    speeds = [one["throughput"] for one in report(replace(run, outcomes=(screened, *others)))["trials"]]
    assert (speeds[0]["screened"], speeds[0]["rechecked"]) == ("bfloat16", 0.01)
    assert (speeds[1]["screened"], speeds[1]["rechecked"]) == (None, None)


@pytest.mark.parametrize("name", ["md", "html"])
def test_a_report_says_which_rate_of_requests_each_trial_held(name, run):
    served = with_server(run)
    server = report(served)["trials"][0]["scenarios"]["server"]
    text = registry.format(name).render(served, served.outcomes[0].trial).decode()
    assert f"{server['highest_rate']:,.0f} requests/s with p99 under 100 ms" in text
    assert "requests/s" not in registry.format(name).render(run, run.outcomes[0].trial).decode()


def test_the_table_of_trials_has_the_highest_rate_of_requests(run):
    served = with_server(run)
    lines = list(csv.DictReader(io.StringIO(registry.format("csv").render(served, served.outcomes[0].trial).decode())))
    rates = {one["trial"]: one["scenarios"]["server"] for one in report(served)["trials"]}
    for line in lines:
        highest = (rates[line["trial"]] or {}).get("highest_rate")
        assert line["server_highest_rate"] == ("" if highest is None else str(highest))
    assert {line["server_p99_ms"] for line in lines} == {"100.0", ""}


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_renders_for_a_trial_without_a_result(name, run):
    assert registry.format(name).render(run, run.outcomes[-1].trial)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_renders_where_every_trial_failed(name):
    run = make_run(trials=0, rows=10, failed=2)
    assert registry.format(name).render(run, run.outcomes[0].trial)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_renders_a_run_of_generated_texts(name):
    run = make_run(trials=2, rows=10, task="summarization")
    assert registry.format(name).render(run, winner(run))


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_renders_names_that_try_to_break_out(name, evil):
    assert registry.format(name).render(evil, evil.outcomes[0].trial).decode()


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_names_a_trial_that_is_not_in_the_run(name, run):
    with pytest.raises(UnknownName, match="nobody"):
        registry.format(name).render(run, "nobody")


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = set(), [], ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in {"href", "src"} or name.startswith("on")]

    def handle_data(self, data):
        self.text += data


def test_the_html_report_escapes_everything_and_fetches_nothing(evil):
    made = registry.format("html").render(evil, evil.outcomes[0].trial).decode()
    page = Tags()
    page.feed(made)
    assert "script" not in page.tags
    assert not page.links
    assert "url(" not in made
    assert "alert('x')" in page.text


def test_the_html_report_states_the_answer_and_draws_every_measured_trial(run):
    made = registry.format("html").render(run, winner(run)).decode()
    assert report(run)["winner_reason"] in made
    assert made.count("<circle") == 4
    assert "The weights are cut short" in made


def test_a_report_on_another_trial_than_the_rule_picks_says_so(run):
    other = next(o.trial for o in run.outcomes if o.trial != winner(run) and o.status == "done")
    for name in ("md", "html"):
        assert "Chosen by hand" in registry.format(name).render(run, other).decode()


def test_the_markdown_report_keeps_its_table_whatever_the_names(evil):
    made = registry.format("md").render(evil, evil.outcomes[0].trial).decode()
    table = made.split("\n\n")[2].splitlines()
    assert len(table) == 2 + len(evil.outcomes)
    assert {len(re.split(r"(?<!\\)\|", line)) for line in table} == {12}
    assert not re.search(r"(?<!\\)<", made.split("## What")[0].replace("< 0.001", ""))


def test_differences_are_the_chosen_trials_own(run):
    best, *_, worst = [trial for trial in report(run)["ranking"] if trial != run.outcomes[-1].trial]
    signs = {}
    for trial in (best, worst):
        table = registry.format("md").render(run, trial).decode().split("## The chosen")[1].split("## What")[0]
        signs[trial] = {line.split("|")[2].strip()[0] == "−" for line in table.splitlines()[4:] if line}
    assert signs == {best: {False}, worst: {True}}


@pytest.mark.parametrize("name", ["csv", "predictions"])
def test_no_cell_of_a_spreadsheet_is_a_formula(name, evil):
    made = registry.format(name).render(evil, evil.outcomes[0].trial).decode()
    cells = [cell for row in csv.reader(io.StringIO(made, newline="")) for cell in row]
    assert any("cmd()" in cell for cell in cells)
    for cell in cells:
        if cell.startswith(("=", "+", "@")):
            pytest.fail(cell)
        if cell.startswith("-"):
            float(cell)


def test_the_table_of_trials_has_a_line_per_trial_and_leaves_unknown_numbers_empty(run):
    made = registry.format("csv").render(run, winner(run)).decode()
    rows = list(csv.DictReader(io.StringIO(made, newline="")))
    best = next(trial for trial in report(run)["trials"] if trial["trial"] == winner(run))
    assert [row["trial"] for row in rows] == report(run)["ranking"]
    assert float(rows[0]["accuracy"]) == best["metrics"]["accuracy"]["value"]
    assert float(rows[0]["latency_ms_1_p50"]) == best["latency_ms"]["1"]["p50"]
    assert [row["chosen"] for row in rows] == ["True", *["False"] * (len(rows) - 1)]
    assert rows[-1]["accuracy"] == ""
    assert rows[-1]["error"].startswith("The weights are cut short")


def test_predictions_stand_in_the_row_they_belong_to(run):
    made = registry.format("predictions").render(run, winner(run)).decode()
    rows = list(csv.DictReader(io.StringIO(made, newline="")))
    column = list(rows[0])[3]
    right = sum(row["label"] == row[column] for row in rows)
    best = next(trial for trial in report(run)["trials"] if trial["trial"] == winner(run))
    assert right / len(rows) == best["metrics"]["accuracy"]["value"]
    assert [row["id"] for row in rows] == list(run.evalset.ids)


def test_the_json_report_is_the_report_and_the_choice(run):
    made = json.loads(registry.format("json").render(run, winner(run)))
    assert made.pop("chosen") == winner(run)
    assert made == json.loads(json.dumps(report(run)))


def test_further_columns_keep_their_values_and_hide_none(evil):
    made = [json.loads(line) for line in registry.format("rows").render(evil, evil.outcomes[0].trial).splitlines()]
    assert made[0]["label"] == evil.evalset.references[0]
    assert made[0]["label (original)"] == EVIL
    assert made[0]["=col()"] == "=HYPERLINK()"


def test_the_plan_reads_back_and_points_to_the_rows_beside_it(evil):
    made = registry.format("plan").render(evil, evil.outcomes[0].trial).decode()
    plan = parse(load(made))
    assert plan.candidates == evil.plan.candidates
    assert plan.dataset.path == registry.format("rows").filename
    assert plan.dataset.columns == {"text": "text", "label": "label"}
    assert plan.dataset.sample is None


def test_the_plan_of_a_hub_data_set_keeps_its_name_revision_and_sample(run):
    from core.records import DatasetSpec, Sample

    dataset = DatasetSpec(repo="org/rows", revision="a" * 40, split="test", columns={"text": "t"}, sample=Sample(60, 7))
    hub = replace(run, plan=replace(run.plan, dataset=dataset))
    assert parse(load(registry.format("plan").render(hub, winner(run)).decode())).dataset == dataset


def test_the_script_of_another_runtime_is_refused_in_words(run):
    spec = replace(run.outcomes[0].spec, variant=Variant(backend="onnx"))
    other = replace(run, outcomes=(replace(run.outcomes[0], spec=spec),))
    with pytest.raises(UserError, match="onnx"):
        registry.format("script").render(other, other.outcomes[0].trial)


def test_names_stay_data_in_the_script(evil):
    import ast

    spec = evil.outcomes[0].spec
    tree = ast.parse(registry.format("script").render(evil, evil.outcomes[0].trial))
    assigned = {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body if isinstance(node, ast.Assign)}
    assert assigned["MODEL"] == spec.model
    assert assigned["REVISION"] == spec.revision
    assert assigned["SETTINGS"]["labels"] == dict(spec.labels)
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"argparse", "json", "sys", "torch"}
