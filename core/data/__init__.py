"""Where rows come from: files and Hub data sets, as the `EvalSet` that every trial of a run shares.

`source.py`         a file, a folder or a Hub data set → `Table`
`readers.py`        the table of all readers
`table_formats.py`  CSV, TSV, JSON, Parquet, NumPy; `delimited.py`: CSV and TSV as they are found; `squad.py`
`line_formats.py`   CoNLL columns, texts by line, transcripts
`folder.py`         formats of several files: `parallel.py`, `media_folder.py`, `idx.py`
`mapping.py`        which column is which, by name, and by content (`profiles.py`)
`kinds.py`          how the cells of a column are read; `files.py`: pictures and clips; `answers.py`
`labels.py`         which model label is which data set label
`proposal.py`       the same for several candidates, as a page shows it
`sample.py`         the seeded, stratified draw
`evalset.py`        the rows that can be scored, and the list of those that cannot
`predictions.py`    answers made elsewhere, and `references.py`: what they are scored against
"""

from core.data.evalset import Loaded, build, load, load_rows, preview, unusable_in_words
from core.data.labels import LabelMatch, complete, reconcile
from core.data.mapping import ColumnGuess, guess_columns, resolve_columns
from core.data.proposal import LabelTable, label_counts, label_tables
from core.data.sample import draw
from core.data.source import Table, hub_layout, load_table, read_file, save_upload

__all__ = [
    "ColumnGuess",
    "LabelMatch",
    "LabelTable",
    "Loaded",
    "Table",
    "build",
    "complete",
    "draw",
    "guess_columns",
    "hub_layout",
    "label_counts",
    "label_tables",
    "load",
    "load_rows",
    "load_table",
    "preview",
    "read_file",
    "reconcile",
    "resolve_columns",
    "save_upload",
    "unusable_in_words",
]
