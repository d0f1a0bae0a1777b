"""Selections with their shortlists, and the rows they are judged on. Functions over a connection."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from core import codec
from core.errors import UnknownName, UserError
from core.records import Candidate, EvalSet, Selection
from core.store import encoding, tables
from core.store.database import now, upsert


def insert(connection: Connection, selection: Selection) -> None:
    """Keep a new selection."""
    values = {"id": selection.id, "created": selection.created, "record": codec.dumps(selection)}
    connection.execute(tables.selections.insert().values(values))


def save(connection: Connection, selection: Selection) -> None:
    """Replace what is known of a selection. Raises UnknownName."""
    change = update(tables.selections).where(tables.selections.c.id == selection.id)
    if connection.execute(change.values(record=codec.dumps(selection))).rowcount == 0:
        raise _unknown(connection, selection.id)


def one(connection: Connection, selection: str) -> Selection:
    """The selection of that id. Raises UnknownName."""
    query = select(tables.selections.c.record).where(tables.selections.c.id == selection)
    text = connection.execute(query).scalar()
    if text is None:
        raise _unknown(connection, selection)
    return codec.loads(Selection, text)


def everything(connection: Connection) -> list[Selection]:
    """All selections, the oldest first."""
    order = (tables.selections.c.created, tables.selections.c.id)
    texts = connection.execute(select(tables.selections.c.record).order_by(*order)).scalars()
    return [codec.loads(Selection, text) for text in texts]


def shortlist(connection: Connection, selection: str) -> list[Candidate]:
    """The candidates of a selection, in the order they were added."""
    table = tables.shortlist
    query = select(table.c.record).where(table.c.selection == selection).order_by(table.c.added, table.c.candidate)
    return [encoding.candidate(text) for text in connection.execute(query).scalars()]


def add_candidate(connection: Connection, selection: str, candidate: Candidate) -> None:
    """Put a candidate on the shortlist, or bring its facts up to date. Raises UnknownName for the selection."""
    one(connection, selection)
    table = tables.shortlist
    here = (table.c.selection == selection) & (table.c.candidate == candidate.id)
    record = codec.dumps(candidate)
    if connection.execute(update(table).where(here).values(record=record)).rowcount == 0:
        row = {"selection": selection, "candidate": candidate.id, "added": now(connection), "record": record}
        upsert(connection, table, row)


def remove_candidate(connection: Connection, selection: str, candidate: str) -> None:
    """Take a candidate off the shortlist; nothing happens where it is not on it."""
    table = tables.shortlist
    connection.execute(delete(table).where(table.c.selection == selection, table.c.candidate == candidate))


def save_evalset(connection: Connection, evalset: EvalSet) -> None:
    """Keep the rows. They are named by their content, so saving them again changes nothing."""
    table = tables.evalsets
    if connection.execute(select(table.c.id).where(table.c.id == evalset.id)).first() is None:
        record = encoding.pack_evalset(evalset)
        upsert(connection, table, {"id": evalset.id, "rows": len(evalset.ids), "record": record})


def evalset(connection: Connection, id: str) -> EvalSet:
    """The rows of that id. Raises UserError."""
    data = connection.execute(select(tables.evalsets.c.record).where(tables.evalsets.c.id == id)).scalar()
    if data is None:
        raise UserError(f"There are no rows {id!r} in the store.", "Load the data set again on the Data page.")
    return encoding.unpack_evalset(data)


def _unknown(connection: Connection, selection: str) -> UnknownName:
    return UnknownName("selection", selection, connection.execute(select(tables.selections.c.id)).scalars())
