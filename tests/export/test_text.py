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


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
def test_a_table_reads_back_cell_for_cell(values):
    made = text.table(["a", "b"], [{"a": value, "b": None} for value in values]).decode()
    assert list(csv.reader(io.StringIO(made, newline=""))) == [["a", "b"], *([text.cell(v), ""] for v in values)]


def test_markdown_shows_markup_as_text():
    assert text.markdown("a|b <i> [x](y) `c`\nd") == r"a\|b \<i\> \[x\](y) \`c\` d"
