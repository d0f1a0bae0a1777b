from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog.fit import fits, format_params, model_mb, parse_params
from core.errors import UserError
from core.records import Candidate, Variant


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("150M", 150_000_000),
        ("1.5B", 1_500_000_000),
        (" 66,000,000 ", 66_000_000),
        ("12k", 12_000),
        (".5b", 500_000_000),
    ],
)
def test_sizes_are_read_as_people_write_them(text, count):
    assert parse_params(text) == count


@pytest.mark.parametrize("text", ["", "M", "-5M", "150MB", "1.2.3", "1e9", "0", "many", "٣M"])
def test_what_is_no_size_is_said_with_the_value(text):
    with pytest.raises(UserError) as error:
        parse_params(text)
    assert repr(text) in error.value.message
    assert "150M" in error.value.hint


@given(st.integers(1, 10**13))
def test_whole_numbers_are_read_back_exactly(count):
    assert parse_params(str(count)) == count
    assert parse_params(f"{count:,}") == count


@given(st.integers(1, 10**13))
def test_a_size_written_to_three_digits_is_within_half_a_percent(count):
    assert abs(parse_params(format_params(count)) - count) <= 0.005 * count


@given(st.text(max_size=12))
def test_any_text_is_a_positive_number_or_a_user_error(text):
    with contextlib.suppress(UserError):
        assert parse_params(text) > 0


@pytest.mark.parametrize(("memory", "verdict"), [(20_000, "yes"), (6_000, "tight"), (4_000, "no"), (None, "unknown")])
def test_a_billion_float32_parameters_need_about_five_gigabytes(memory, verdict):
    fit = fits(Candidate("hub", "a/b", parameters=10**9), Variant(), {"cpu": memory})
    assert fit.verdict == verdict
    assert fit.needed_mb == pytest.approx(5300)
    assert "5,300 MB" in fit.reason


def test_half_the_bytes_per_parameter_need_less():
    model = Candidate("hub", "a/b", parameters=10**9)
    full, half = (fits(model, Variant(dtype=dtype), {"cpu": 4_000}) for dtype in ("float32", "bfloat16"))
    assert (full.verdict, half.verdict) == ("no", "yes")


MEASURED = [
    (187_974, 0.5, "float32", 70.8),
    (980_870, 2.1, "float32", 86.9),
    (14_833_538, 30.1, "float32", 170.5),
    (18_257_410, 73.3, "float32", 223.7),
    (51_195_650, 205.0, "float32", 402.4),
    (93_722_882, 375.2, "float32", 559.5),
    (187_974, 0.5, "bfloat16", 117.2),
    (14_833_538, 30.1, "bfloat16", 158.2),
    (51_195_650, 205.0, "bfloat16", 330.6),
    (93_722_882, 375.2, "bfloat16", 586.6),
]
"""Parameters, MB of the files, precision, peak of a classifier on two cores."""


@pytest.mark.parametrize(("parameters", "file", "dtype", "peak"), MEASURED)
def test_the_peak_of_a_classifier_is_predicted_within_a_fifth(parameters, file, dtype, peak):
    model = Candidate("hub", "a/b", parameters=parameters, download_bytes=int(file * 1e6))
    assert model_mb(model, Variant(dtype=dtype)) == pytest.approx(peak, rel=0.2)


def test_weights_that_are_converted_count_twice_in_what_is_measured_and_once_in_what_has_to_fit():
    bare = Candidate("hub", "a/b", parameters=10**9)
    stored = Candidate("hub", "a/b", parameters=10**9, download_bytes=4 * 10**9)
    half = Variant(dtype="bfloat16")
    assert model_mb(stored, half) == pytest.approx(6025)
    assert model_mb(stored, Variant()) == model_mb(bare, Variant())
    assert fits(stored, half, {"cpu": 4_000}) == fits(bare, half, {"cpu": 4_000})


def test_on_a_gpu_the_rule_of_a_fifth_holds_for_small_models_too():
    assert model_mb(Candidate("hub", "a/b", parameters=10**7), Variant(device="cuda")) == pytest.approx(48)


def test_a_device_that_is_not_there_does_not_fit_anything():
    fit = fits(Candidate("hub", "a/b", parameters=1), Variant(device="cuda"), {"cpu": 4_000})
    assert fit.verdict == "no"
    assert "'cuda'" in fit.reason


def test_an_unknown_size_is_not_guessed():
    assert fits(Candidate("hub", "a/b"), Variant(), {"cpu": 4_000}).verdict == "unknown"
