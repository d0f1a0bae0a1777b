"""What people said and signed. Rows are only ever added. Functions over a connection."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select

from core import codec
from core.errors import UserError
from core.records import Decision, Review
from core.store.selections import one as selection_of
from core.store.tables import decisions, reviews


def add_review(connection: Connection, review: Review) -> None:
    """Keep one person's word. Raises UnknownName for the selection."""
    selection_of(connection, review.selection)
    connection.execute(insert(reviews).values(id=review.id, selection=review.selection, record=codec.dumps(review)))


def reviews_of(connection: Connection, selection: str) -> list[Review]:
    """All that was said on a selection, in the order it was said."""
    query = select(reviews.c.record).where(reviews.c.selection == selection).order_by(reviews.c.position)
    return [codec.loads(Review, text) for text in connection.execute(query).scalars()]


def add_decision(connection: Connection, decision: Decision) -> None:
    """Keep a signed decision. Raises UnknownName for the selection, UserError where its version is signed already."""
    selection_of(connection, decision.selection)
    key = {"selection": decision.selection, "version": decision.version}
    if connection.execute(select(decisions.c.version).filter_by(**key)).first() is not None:
        raise UserError(
            f"Version {decision.version} of this decision has been signed already.",
            "Reload the page to see it; a change is signed as the next version.",
        )
    connection.execute(insert(decisions).values(**key, record=codec.dumps(decision)))


def decisions_of(connection: Connection, selection: str) -> list[Decision]:
    """The versions of a selection's decision, the first one first."""
    query = select(decisions.c.record).where(decisions.c.selection == selection).order_by(decisions.c.version)
    return [codec.loads(Decision, text) for text in connection.execute(query).scalars()]
