"""Where one speaks and signs. What was typed stays until it is taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from core import review
from core.errors import UserError
from core.records import Decision, Review
from pages._ui import cached, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from core.analysis.ranking import Ranking
    from core.records import RunResult, Selection, Verdict

VERDICTS: dict[Verdict, str] = {"approve": "Approve", "reject": "Reject", "comment": "Comment"}
_TAKEN = "_taken"
Word = TypeVar("Word", Review, Decision)


def speak(selection: Selection, run: RunResult, author: str, names: Mapping[str, str]) -> None:
    """A vote or a comment on the run, a trial or a row; the address can name trial and row."""
    with st.container(border=True, key="speak"):
        st.markdown("**Vote or comment**")
        trial, row = _subject(run, names)
        with st.form("words", border=False):
            verdict: Verdict = st.segmented_control(
                "Verdict",
                list(VERDICTS),
                default="comment",
                format_func=VERDICTS.__getitem__,
                required=True,
                key=_key("verdict"),
                label_visibility="collapsed",
            )
            text = st.text_area("Words", key=_key("text"), placeholder="Why? A rejection needs its reason.")
            if st.form_submit_button("Send", icon=":material/send:", key="send", width="stretch"):
                _keep(
                    lambda: review.write(selection.id, author, verdict, text, run=run.id, trial=trial, row=row),
                    cached.store().add_review,
                )


def sign(
    selection: Selection,
    run: RunResult,
    author: str,
    names: Mapping[str, str],
    ranking: Ranking,
    earlier: Sequence[Decision],
) -> None:
    """The choice and its reason, put under a name: the first version, or the next one.

    Args:
        selection: What is decided; its limits are signed along.
        run: The finished run.
        author: Who signs.
        names: Trial with a result → name, best first.
        ranking: Under the limits of the selection.
        earlier: The versions so far.
    """
    with st.form("sign"):
        st.markdown(f"**Sign version {earlier[-1].version + 1}**" if earlier else "**Sign the decision**")
        trials = list(names)
        trial = st.selectbox(
            "We ship",
            trials,
            trials.index(ranking.winner) if ranking.winner else None,
            format_func=names.__getitem__,
            key=_key("choice"),
            placeholder="Choose a trial",
        )
        reason = st.text_area("Because", key=_key("reason"), placeholder="The reason, in a sentence or two")
        later = "Earlier versions stay as they are." if earlier else "A later change is signed as a new version."
        st.caption(f"Freezes the numbers of this run. {later}")
        if st.form_submit_button(
            "Sign", type="secondary" if earlier else "primary", icon=":material/draw:", key="sign_it", width="stretch"
        ):
            _keep(
                lambda: review.sign(selection.id, run, trial or "", author, reason, earlier, selection.limits),
                cached.store().add_decision,
            )


def _subject(run: RunResult, names: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Trial and row that it is about, as the address or the person says."""
    subjects = {"": "the run as a whole", **names}
    wanted = st.query_params.get("trial", "")
    trial: str = st.selectbox(
        "About",
        list(subjects),
        list(subjects).index(wanted) if wanted in subjects else 0,
        format_func=subjects.__getitem__,
        key=f"about_{run.id}",
    )
    row = st.text_input(
        "Row", st.query_params.get("row", ""), key="about_row", placeholder="Its id, if it is about a single row"
    ).strip()
    _address("trial", trial)
    _address("row", row)
    if not row:
        return trial or None, None
    try:
        place = review.position(run.evalset, row)
    except UserError as error:
        frame.show_error(error)
        return trial or None, None
    with st.container(border=True):
        for value in run.evalset.inputs[place].values():
            st.text(str(value)[:600])
    return trial or None, row


def _address(name: str, value: str) -> None:
    if value:
        st.query_params[name] = value
    else:
        st.query_params.pop(name, None)


def _keep(make: Callable[[], Word], add: Callable[[Word], None]) -> None:
    """Keep it and empty the forms; where something is missing, say so and leave them as they are."""
    try:
        add(make())
    except UserError as error:
        frame.show_error(error)
        return
    st.session_state[_TAKEN] = st.session_state.get(_TAKEN, 0) + 1
    st.query_params.pop("version", None)
    st.rerun()


def _key(name: str) -> str:
    """Names a widget of the forms; after something was taken they are new, hence empty."""
    return f"{name}_{st.session_state.get(_TAKEN, 0)}"
