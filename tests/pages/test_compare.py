from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import pytest
from streamlit.testing.v1 import AppTest

from core import codec
from core.records import Limits, Outcome, RunResult, Variant
from core.store import Store
from tests.analysis.factory import CPU, make_run, with_server, with_tokens
from tests.pages.seed import fill

TABS = ("Trials", "CPU vs GPU", "Variants", "Latency", "Memory", "Statistics", "Errors", "Rows")
CLEAR = (0.70, 0.80, 0.95)
"""Far enough apart for 200 rows to tell."""
Open = Callable[..., AppTest]
Words = Callable[[AppTest], str]


@pytest.fixture
def compare(open_page: Open) -> Open:
    """`compare(selection, tab=…)`: this page, drawn without a traceback."""
    return lambda selection, **address: drawn(open_page("4_compare", selection=selection.id, **address))


def drawn(page: AppTest) -> AppTest:
    assert not page.exception, page.exception[0].message
    return page


def with_status(run: RunResult, changes: Sequence[tuple[int, dict[str, object]]]) -> RunResult:
    outcomes: list[Outcome] = list(run.outcomes)
    for index, change in changes:
        outcomes[index] = dataclasses.replace(outcomes[index], **change)  # type: ignore[arg-type]
    return dataclasses.replace(run, outcomes=tuple(outcomes))


def test_without_a_run_the_page_leads_to_the_benchmark(store: Store, compare: Open, words: Words) -> None:
    page = compare(store.create_selection("new", "text-classification"))
    assert "Nothing is measured yet" in words(page)
    assert [button.label for button in page.button] == ["Plan the benchmark"]


def test_the_card_names_the_winner_its_numbers_and_who_is_excluded(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, make_run(3, accuracies=CLEAR, limits=Limits(memory_mb=300)))
    page = compare(selection)
    assert page.subheader[0].value == "Ship **org/model-01** on CPU, float32"
    numbers = {metric.label: metric.value for metric in page.metric}
    assert numbers["Accuracy"] == "0.800"
    assert numbers["Peak memory"] == "280 MB"
    assert numbers["p95 latency"].endswith(" ms")
    assert "model-02: memory 360 MB is over the limit of 300 MB" in words(page)


@pytest.mark.parametrize("task", ["text-classification", "summarization"])
def test_every_tab_is_drawn_for_every_kind_of_task(store: Store, compare: Open, task: str) -> None:
    gpu = Variant(device="cuda")
    selection, _ = fill(store, make_run(4, 60, task=task, variants=(CPU, gpu), failed=1))
    page = compare(selection)
    for tab in TABS:
        page.session_state["tab"] = tab
        drawn(page.run())


def test_each_device_has_its_numbers_and_the_gpu_its_gain(store: Store, compare: Open) -> None:
    selection, _ = fill(store, make_run(2, 60, variants=(CPU, Variant(device="cuda"))))
    line = compare(selection, tab="CPU vs GPU").dataframe[0].value.iloc[0]
    assert (line["CPU rows/s"], line["GPU rows/s"], line["GPU throughput gain"]) == ("500", "2,500", "5.00×")


def test_a_price_per_hour_shows_what_a_million_rows_cost(store: Store, compare: Open) -> None:
    selection, _ = fill(store, make_run(2, 60, variants=(CPU, Variant(device="cuda"))))
    page = compare(selection)
    assert not {"cost", "cost by request", "energy"} & set(page.dataframe[0].value)
    drawn(page.selectbox("price_cpu").select("cpu-upgrade").run())
    table = page.dataframe[0].value
    on_cpu = table["trial"].str.endswith("CPU")
    assert table.loc[on_cpu, "cost"].tolist() == pytest.approx([0.03e6 / 3600 / 500])
    assert table.loc[~on_cpu, "cost"].isna().all()
    assert (table.loc[on_cpu, "cost by request"] > table.loc[on_cpu, "cost"]).all()
    drawn(page.selectbox("price_cpu").select("another price").run())
    assert page.number_input("own_price_cpu").value == 0.03  # the table's price is what one changes
    drawn(page.number_input("own_price_cpu").set_value(0.06).run())
    assert page.dataframe[0].value.loc[on_cpu, "cost"].tolist() == pytest.approx([0.06e6 / 3600 / 500])
    page.session_state["tab"] = "Rows"
    drawn(page.run())
    page.session_state["tab"] = "Trials"
    drawn(page.run())
    assert page.number_input("own_price_cpu").value == 0.06
    drawn(page.selectbox("price_cpu").select("no price").run())
    assert "cost" not in page.dataframe[0].value


SCREENED = {"environment": {"screened": "bfloat16", "rechecked": 0.02}}


def test_speed_while_rows_were_screened_is_marked_and_explained(store: Store, compare: Open, words: Words) -> None:
    run = make_run(2, 60, variants=(CPU, Variant(dtype="bfloat16")))
    said = "† Screened: a bf16 copy answered"
    plain, _ = fill(store, make_run(2, 61))
    assert said not in words(compare(plain))
    selection, _ = fill(store, with_status(run, [(0, SCREENED)]))
    page = compare(selection)
    assert said in words(page)
    assert page.dataframe[0].value["rows/s"].tolist() == [500, 500]  # still numbers, that a click sorts
    page = compare(selection, tab="Variants")
    assert page.dataframe[0].value["Rows/s"].tolist() == ["500 †", "500"]
    assert said in words(page)


def test_a_gain_in_throughput_compares_like_with_like(store: Store, compare: Open) -> None:
    for rows, screened, gains in ((60, (0,), ["–", "5.00×"]), (61, (0, 1), ["5.00×", "5.00×"])):
        run = make_run(4, rows, variants=(CPU, Variant(device="cuda")))
        selection, _ = fill(store, with_status(run, [(index, SCREENED) for index in screened]))
        table = compare(selection, tab="CPU vs GPU").dataframe[0].value
        assert table["GPU throughput gain"].tolist() == gains


def test_energy_is_a_column_where_a_machine_told_it(store: Store, compare: Open, words: Words) -> None:
    run = make_run(2, 60)
    told = {"environment": {"energy_joules": 30.0, "energy_rows": 60, "energy_sources": "RAPL package-0"}}
    selection, _ = fill(store, with_status(run, [(0, told)]))
    page = compare(selection)
    energy = page.dataframe[0].value.set_index("trial")["energy"]
    assert "Energy is that of whole processors" in words(page)
    assert energy["model-00"] == 0.5
    assert energy.isna().sum() == 1


def test_memory_is_predicted_and_measured_phase_by_phase(store: Store, compare: Open) -> None:
    selection, _ = fill(store, make_run(2, 60))
    line = compare(selection, tab="Memory").dataframe[0].value.set_index("trial").loc["model-00"]
    assert (line["predicted"], line["peak"]) == (pytest.approx(20 + 65 + 7 * 20**0.5), 200)
    assert (line["load"], line["quality"], line["batch 1"], line["batch 8"]) == (100, 200, 110, 130)


def test_times_are_compared_with_the_chosen_one_and_the_noise_is_said(
    store: Store, compare: Open, words: Words
) -> None:
    selection, _ = fill(store, make_run(3, accuracies=CLEAR))
    page = compare(selection, tab="Latency")
    lines = page.dataframe[0].value
    assert list(lines["trial"]) == ["model-00", "model-01"]
    assert set(lines["verdict"]) == {"faster"}
    assert (lines["low"] < lines["value"]).all()
    assert "How long beside model-02" in words(page)
    assert "One trial was timed twice on each of 120 requests" in words(page)
    assert not page.warning


def test_models_that_write_say_when_their_words_come(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, with_tokens(make_run(3, 60, task="summarization", accuracies=CLEAR)))
    page = compare(selection, tab="Latency")
    assert "When the words come" in words(page)
    lines = page.dataframe[1].value.set_index("trial")
    assert list(lines.columns) == ["first", "tail", "token", "tokens", "speed", "fixed", "beside"]
    assert set(lines["fixed"]) == {"64"}
    assert list(lines["beside"]).count("–") == 1
    assert lines["first"].str.fullmatch(r"[\d.]+ \([\d.]+–[\d.]+\)").all()


def test_models_that_do_not_write_have_no_table_of_words(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, make_run(2, 60))
    assert "When the words come" not in words(compare(selection, tab="Latency"))


def test_a_machine_too_noisy_to_time_is_said(store: Store, compare: Open) -> None:
    run = make_run(2, 60)
    first = run.outcomes[0]
    doubled = [dataclasses.replace(one, again_ns=tuple(2 * value for value in one.again_ns)) for one in first.latency]
    selection, _ = fill(store, with_status(run, [(0, {"latency": tuple(doubled)})]))
    assert "too noisy" in compare(selection, tab="Latency").warning[0].value


def test_moving_a_limit_changes_the_card_and_keeping_it_changes_the_selection(store: Store, compare: Open) -> None:
    selection, run = fill(store, make_run(3, accuracies=CLEAR))
    page = compare(selection)
    assert "org/model-02" in page.subheader[0].value
    drawn(page.select_slider(f"memory_{run}").set_value(250.0).run())
    assert "org/model-00" in page.subheader[0].value
    assert store.selection(selection.id).limits == Limits()
    drawn(page.button("keep_limits").click().run())
    assert store.selection(selection.id).limits == Limits(memory_mb=250.0)
    assert not [button for button in page.button if button.key == "keep_limits"]


def test_undoing_a_limit_brings_back_what_the_selection_keeps(store: Store, compare: Open) -> None:
    selection, run = fill(store, make_run(3, accuracies=CLEAR, limits=Limits(memory_mb=300, download_mb=500)))
    page = compare(selection)
    drawn(page.select_slider(f"memory_{run}").set_value(float("inf")).run())
    assert "org/model-02" in page.subheader[0].value
    drawn(page.button("undo_limits").click().run())
    assert "org/model-01" in page.subheader[0].value


def test_limits_without_a_slider_are_said_and_stay(store: Store, compare: Open, words: Words) -> None:
    selection, run = fill(store, make_run(3, accuracies=CLEAR, limits=Limits(download_mb=500)))
    page = compare(selection)
    assert "download at most 500 MB" in words(page)
    drawn(page.select_slider(f"memory_{run}").set_value(250.0).run())
    drawn(page.button("keep_limits").click().run())
    assert store.selection(selection.id).limits == Limits(memory_mb=250.0, download_mb=500)


def test_a_failed_trial_is_a_row_with_its_reason(store: Store, compare: Open) -> None:
    selection, _ = fill(store, make_run(2, failed=1))
    table = compare(selection).dataframe[0].value
    assert list(table["verdict"])[-1] == "✗ failed: The weights are cut short: 1,024 of 88,544 bytes."


def test_a_run_without_any_result_says_why_and_leads_back(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, make_run(0, failed=2))
    page = compare(selection)
    assert "No trial gave a result" in words(page)
    assert "model-00: The weights are cut short" in words(page)
    assert page.button("next_step").label == "Back to the benchmark"


def test_where_every_trial_breaks_a_limit_nobody_is_shipped(store: Store, compare: Open) -> None:
    selection, run = fill(store, make_run(2, limits=Limits(memory_mb=1)))
    page = compare(selection)
    assert page.subheader[0].value == "No trial is within the limits"
    assert page.select_slider(f"memory_{run}").value == 1


def test_a_run_that_goes_on_shows_what_there_is_and_cannot_be_signed(store: Store, compare: Open, words: Words) -> None:
    complete = make_run(4, 200)
    begun = {"status": "running", "stage": "quality", "chunks": complete.outcomes[2].chunks[:2], "latency": ()}
    result = with_status(complete, [(2, begun), (3, {"status": "queued", "chunks": (), "latency": ()})])
    selection, _ = fill(store, result)
    page = compare(selection)
    assert "2 of 4 trials have ended" in words(page)
    assert page.subheader[0].value.startswith("Ahead so far:")
    assert page.button("next_step").disabled
    assert [text.split()[0] for text in page.dataframe[0].value["verdict"][2:]] == ["…", "…"]


def test_the_address_chooses_among_several_runs(store: Store, compare: Open) -> None:
    selection, first = fill(store, make_run(2, 60))
    other, second = fill(store, make_run(3, 80, seed=1), selection=selection)
    assert other.id == selection.id
    assert len(compare(selection).dataframe[0].value) == 3
    assert len(compare(selection, run=first).dataframe[0].value) == 2
    assert len(compare(selection, run="gone").dataframe[0].value) == 3
    assert first != second


def test_rows_show_each_answer_with_its_sign(store: Store, compare: Open) -> None:
    run = make_run(2, 40)
    selection, _ = fill(store, run)
    table = compare(selection, tab="Rows", filter="all").dataframe[0].value
    assert len(table) == 40
    for outcome in run.outcomes:
        signed = list(table[outcome.trial])
        right = [text == f"✓ {reference}" for text, reference in zip(signed, run.evalset.references, strict=True)]
        assert all(text[0] in "✓✗" for text in signed)
        assert sum(right) == round(40 * (0.7 if outcome is run.outcomes[0] else 0.95))


def test_a_link_opens_the_row_it_names_and_stepping_moves_on(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, make_run(2, 120))
    page = compare(selection, tab="Rows", filter="all", row="60")
    assert "Row 60" in words(page)
    assert "Row 61 of 120" in words(page)
    drawn(page.button("row_Next").click().run())
    assert "Row 62 of 120" in words(page)
    assert page.query_params["row"] == "61"
    drawn(page.button("row_Previous").click().run())
    assert "Row 61 of 120" in words(page)


def test_a_link_to_a_row_alone_finds_it_whatever_set_it_belongs_to(store: Store, compare: Open, words: Words) -> None:
    run = make_run(2, 120)
    selection, _ = fill(store, run)
    table = compare(selection, tab="Rows", filter="all_right").dataframe[0].value
    alike = run.evalset.inputs.index({"text": table["text"].iloc[0]})
    page = compare(selection, tab="Rows", row=str(alike))
    assert f"Row {alike + 1} of 120" in words(page)


def test_the_browser_gets_one_page_of_rows_at_a_time(store: Store, compare: Open) -> None:
    selection, _ = fill(store, make_run(2, 120))
    page = compare(selection, tab="Rows", filter="all", row="119")
    assert len(page.dataframe[0].value) == 20
    drawn(page.button("row_Previous").click().run())
    assert len(page.dataframe[0].value) == 20
    assert len(compare(selection, tab="Rows", filter="all").dataframe[0].value) == 50


def test_chips_and_words_narrow_the_rows(store: Store, compare: Open, words: Words) -> None:
    run = make_run(2, 120)
    selection, _ = fill(store, run)
    page = compare(selection, tab="Rows", filter="all_wrong")
    wrong = page.dataframe[0].value
    assert all(text.startswith("✗") for trial in run.outcomes for text in wrong[trial.trial])
    drawn(page.text_input("words").set_value("no such word").run())
    assert "No row matches" in words(page)


def test_an_unknown_chip_in_the_address_shows_where_they_disagree(store: Store, compare: Open) -> None:
    selection, _ = fill(store, make_run(2, 120))
    page = compare(selection, tab="Rows", filter="only_right:gone")
    assert page.query_params["filter"] == "disagree"


def test_names_of_strangers_are_shown_as_they_are(store: Store, compare: Open) -> None:
    run = make_run(1, 40)
    spec = dataclasses.replace(run.outcomes[0].spec, model="org/**bold**_[x](https://evil.example)")
    candidate = dataclasses.replace(run.outcomes[0].candidate, id=spec.model)  # type: ignore[type-var]
    named = with_status(run, [(0, {"spec": spec, "candidate": candidate, "trial": codec.identity(spec)})])
    selection, _ = fill(store, named)
    assert r"org/\*\*bold\*\*\_\[x\](https://evil.example)" in compare(selection).subheader[0].value


def test_variants_stand_beside_their_own_float32_and_failures_say_why(
    store: Store, compare: Open, words: Words
) -> None:
    int8 = Variant(backend="onnxruntime", quantization="int8")
    selection, _ = fill(store, make_run(3, 200, variants=(CPU, int8), accuracies=(0.95, 0.7, 0.8), failed=1))
    page = compare(selection, tab="Variants")
    lines = page.dataframe[0].value.to_dict("records")
    assert [(line["Variant"], line["Speed"].startswith("1× (reference)")) for line in lines] == [
        ("CPU fp32", True),
        ("CPU int8, onnxruntime", False),
        ("CPU fp32", True),
    ]
    assert lines[1]["Quality"].startswith("−25.0 (")
    assert lines[1]["Quality"].endswith("*")
    assert "model-01, CPU int8, onnxruntime: " in words(page)


def test_one_way_of_running_leads_to_the_benchmark(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, make_run(2, 60))
    assert "No model has run in two ways" in words(compare(selection, tab="Variants"))


def test_the_scenarios_have_mlperfs_names_and_the_server_its_rates(store: Store, compare: Open, words: Words) -> None:
    plain, _ = fill(store, make_run(2, 60))
    page = compare(plain, tab="Latency")
    table = next(one.value for one in page.dataframe if "offline" in one.value)
    assert (list(table), len(table)) == (["trial", "single", "multi", "offline"], 2)
    assert "The server scenario was not measured" in words(page)
    served, _ = fill(store, with_server(make_run(2, 61)))
    page = compare(served, tab="Latency")
    table = next(one.value for one in page.dataframe if "offline" in one.value)
    assert all(float(line.server.replace(",", "")) < float(line.lost.replace(",", "")) for line in table.itertuples())
    rates = next(one.value for one in page.dataframe if "held" in one.value)
    assert set(rates["held"]) == {"held", "did not hold"}
    assert "270,336" in words(page)


def test_what_the_server_scenario_could_not_tell_is_said(store: Store, compare: Open, words: Words) -> None:
    selection, _ = fill(store, with_server(make_run(2, 60), bound_ms=1.0))
    assert "whether fewer, 1,000 requests within the plan's max" in words(compare(selection, tab="Latency"))
