"""The tables. Records are kept whole as JSON; what is searched, counted or changed has a column of its own."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

schema_version = Table("schema_version", metadata, Column("version", Integer, primary_key=True))

selections = Table(
    "selections",
    metadata,
    Column("id", String, primary_key=True),
    Column("created", String, nullable=False),
    Column("record", Text, nullable=False),
)

shortlist = Table(
    "shortlist",
    metadata,
    Column("selection", ForeignKey("selections.id"), primary_key=True),
    Column("candidate", String, primary_key=True),
    Column("added", Float, nullable=False),
    Column("record", Text, nullable=False),
)

evalsets = Table(
    "evalsets",
    metadata,
    Column("id", String, primary_key=True),
    Column("rows", Integer, nullable=False),
    Column("record", LargeBinary, nullable=False),  # compressed JSON
)

runs = Table(
    "runs",
    metadata,
    Column("id", String, primary_key=True),
    Column("selection", ForeignKey("selections.id"), index=True),
    Column("plan", Text, nullable=False),
    Column("plan_hash", String, nullable=False, index=True),
    Column("evalset", ForeignKey("evalsets.id"), nullable=False),
    Column("wish", String, nullable=False),
    Column("created", String, nullable=False),
    Column("version", Integer, nullable=False),  # counts changes
)

run_trials = Table(
    "run_trials",
    metadata,
    Column("run", ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("trial", ForeignKey("trials.id"), nullable=False, index=True),
)

# A trial belongs to its spec, not to a run: runs that want the same measurement share it.
trials = Table(
    "trials",
    metadata,
    Column("id", String, primary_key=True),
    Column("spec", Text, nullable=False),
    Column("candidate", Text),
    Column("model", String, nullable=False),
    Column("evalset", ForeignKey("evalsets.id"), nullable=False),
    Column("hardware", String, nullable=False),
    Column("repeat", Integer, nullable=False),
    Column("blocked", Boolean, nullable=False),  # refused when it was planned; never runs
    Column("status", String, nullable=False),
    Column("stage", String, nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("rows_total", Integer, nullable=False),
    Column("failure", Text),
    Column("load_seconds", Float),
    Column("memory_mb", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("started", String),
    Column("finished", String),
    Column("runner", String),
    Column("lease_until", Float),
    Column("losses", Integer, nullable=False),  # leases in a row that ran out without a row committed
    Column("version", Integer, nullable=False),  # counts changes
    Column("stopped", Text),  # JSON: where it left the race
    Index("trials_by_status", "status"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("trial", ForeignKey("trials.id"), nullable=False, index=True),
    Column("positions", LargeBinary, nullable=False),  # int32
    Column("predictions", LargeBinary, nullable=False),  # compressed JSON
    Column("layout", Text, nullable=False),  # JSON: [metric, number type, columns] of each array in `statistics`
    Column("statistics", LargeBinary, nullable=False),  # the arrays one after the other, compressed
    Column("seconds", Float, nullable=False),
    Column("units", Float, nullable=False),
)

latency = Table(
    "latency",
    metadata,
    Column("trial", ForeignKey("trials.id"), primary_key=True),
    Column("batch_size", Integer, primary_key=True),
    Column("record", Text, nullable=False),
)

server = Table(
    "server",
    metadata,
    Column("trial", ForeignKey("trials.id"), primary_key=True),
    Column("record", Text, nullable=False),  # JSON: the rates of the server scenario, in the order they were tried
)

runners = Table(
    "runners",
    metadata,
    Column("id", String, primary_key=True),
    Column("host", String, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("beat", Float, nullable=False),
)

reviews = Table(
    "reviews",
    metadata,
    Column("position", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("selection", ForeignKey("selections.id"), nullable=False, index=True),
    Column("record", Text, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("selection", ForeignKey("selections.id"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("record", Text, nullable=False),
)
