"""Marks and their verdicts."""

from __future__ import annotations

from typing import Any

from bench.marks import Mark, marks


def line(contender: str, exact: float, **more: Any) -> dict[str, Any]:
    return {
        "contender": contender,
        "seconds": [exact] * 3,
        "equal": 1.0,
        "difference": 0.0,
        "ours, exact": [exact] * 3,
    } | more


def table(*lines: dict[str, Any], kind: str = "long", model: str = "small") -> dict[str, Any]:
    return {"table": kind, "model": model, "lines": list(lines)}


def verdict(found: dict[str, Any], words: str) -> Mark:
    return next(mark for mark in marks(found) if words in mark.text)


def test_without_results_nothing_is_said_to_be_reached() -> None:
    assert {mark.verdict for mark in marks({})} == {"not measured"}
    assert len(marks({})) == 19


def test_the_worst_model_decides() -> None:
    both = [table(line("pipeline, batch 32", 9.0)), table(line("pipeline, batch 32", 6.9), model="large")]
    mark = verdict({"long": {"tables": both}}, "vs pipeline, batch 32")
    assert mark.verdict == "**missed**"
    assert mark.reached == "9.00 × (small, long); 6.90 × (large, long)"
    assert verdict({"long": {"tables": both[:1]}}, "vs pipeline, batch 32").verdict == "reached"


def test_one_label_that_differs_or_a_logit_too_far_is_a_miss() -> None:
    def said(**more: Any) -> str:
        tables = [table(line("ours, screened", 1.0, equal=0.5), line("bare sorted loop", 1.0, **more))]
        return verdict({"short": {"tables": tables}}, "logits within").verdict

    assert said(difference=9e-5) == "reached"
    assert said(difference=2e-4) == "**missed**"
    assert said(equal=0.999) == "**missed**"


def test_embeddings_and_texts_are_not_labels() -> None:
    tables = [table(line("sentence-transformers", 1.0, equal=0.9), kind="embeddings")]
    assert verdict({"others": {"tables": tables}}, "logits within").verdict == "not measured"


def test_screening_must_keep_every_label_on_all_texts() -> None:
    kept, lost = (table(line("ours, screened", 1.0, equal=share), kind="short") for share in (1.0, 0.9999))
    mark = verdict({"short": {"tables": [kept]}, "many": {"tables": [lost]}}, "labels identical")
    assert (mark.verdict, mark.reached) == ("**missed**", "1 of 2 pairs of model and texts")


def test_the_bare_loop_is_compared_by_seconds() -> None:
    tables = [table(line("ours, exact", 2.0), line("ours, compiled", 1.6), line("bare sorted loop", 1.9))]
    found = {"many": {"tables": tables}}
    assert verdict(found, "beside a bare sorted loop").reached == "0.95 × (small)"
    assert verdict(found, "once its layers are compiled").reached == "1.19 × (small)"


def way(seconds: float, winner: str, **accuracies: float) -> dict[str, Any]:
    return {"seconds": seconds, "answered": 1, "accuracies": accuracies, "winner": winner}


def test_a_winner_more_than_a_point_behind_is_counted() -> None:
    full = way(10, "best", best=0.9, near=0.895, far=0.88)
    repeats = [
        {"full": full, "raced": way(2, winner, **{winner: 0.9})} for winner in ("best", "near", "far", "best", "best")
    ]
    repeats[0]["evaluator"] = way(40, "best", best=0.9)
    found = {"decision": {"rows": 9610, "repeats": repeats}}
    assert verdict(found, "and in 5 real").reached == "4 of 5"
    assert verdict(found, "and in 5 real").verdict == "**missed**"
    assert verdict(found, "looped evaluator").reached == "20.0 × [20.0, 20.0], 9,610 rows"


def test_too_few_races_prove_nothing() -> None:
    races = [{"behind_full": 0.0}] * 199
    assert verdict({"simulated": {"races": {"10000": races}}}, "simulated").verdict == "not measured"
    races += [{"behind_full": 0.02}]
    assert verdict({"simulated": {"races": {"10000": races}}}, "simulated").reached == "99.5% of 200"


def test_a_true_ratio_too_near_to_one_leaves_the_order_open() -> None:
    said = {"method": "together", "runs": 20, "median_error": 0.02, "wrong_order": None, "coverage": 0.95}
    found = {"latency": {"truth": 1.1, "lines": [said]}}
    assert verdict(found, "median error").verdict == "reached"
    assert verdict(found, "wrong order").verdict == "not measured"


def test_the_slowest_second_trial_and_the_smaller_share_decide() -> None:
    runs = [{"way": "a", "begin": [0.2, 0.6], "share": 0.9}, {"way": "b", "begin": [0.1], "share": 0.84}]
    found = {"runner": {"runs": runs}}
    assert verdict(found, "second trial").reached == "median 0.20 s, most 0.60 s"
    assert verdict(found, "second trial").verdict == "**missed**"
    assert verdict(found, "share of wall time").verdict == "**missed**"
