import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.export import text


@given(st.text())
def test_a_slug_is_a_safe_file_name_whatever_it_is_made_of(name):
    made = text.slug(name)
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,80}", made)
    assert not made.startswith(".")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("org/model-1.5", "org-model-1.5"),
        ("../../etc/passwd", "etc-passwd"),
        ("Überprüfung", "Uberprufung"),
        ("<script>", "script"),
        ("日本", "export"),
        ("", "export"),
    ],
)
def test_a_slug_keeps_what_can_be_kept(name, expected):
    assert text.slug(name) == expected


@pytest.mark.parametrize("value", ["=cmd()", "+1", "-1", "@x", "\t=1", " =1", "\r=1", "\n=1", "＝1"])
def test_a_cell_that_a_spreadsheet_would_run_is_quoted(value):
    assert text.cell(value) == "'" + value


@pytest.mark.parametrize("value", ["plain", "a=b", "", None, -1.5, 3, True])
def test_other_cells_stay_as_they_are(value):
    assert text.cell(value) is value


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=4))
def test_a_table_reads_back_cell_for_cell(cells):
    made = text.table(["a"], [{"a": cell} for cell in cells]).decode()
    read = [row["a"] for row in csv.DictReader(io.StringIO(made, newline=""), skipinitialspace=False)]
    assert read == [text.cell(cell) for cell in cells if cell] or "" in cells


def test_markdown_shows_markup_as_text():
    assert text.markdown("a|b <i> [x](y) `c`\nd") == r"a\|b \<i\> \[x\](y) \`c\` d"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.01234, "0.0123"), (0.5, "0.500"), (1.2345, "1.23"), (12.345, "12.3"), (123.45, "123"), (12345, "12,345")],
)
def test_times_have_three_significant_digits(value, shown):
    assert text.significant(value) == shown


def test_a_number_that_is_not_there_is_a_dash_and_minus_is_a_minus():
    assert [text.quality(None), text.count(None), text.significant(None)] == ["–"] * 3
    assert text.quality(-0.0314) == "−0.031"
