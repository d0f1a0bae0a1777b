"""The frame around every page: navigation, the selection in progress, health, and errors in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import streamlit as st

from core.errors import UserError
from pages._ui import cached, dialogs, health, state

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

    from core.records import Selection

FOLDER = Path(__file__).parent.parent

# Streamlit leaves 6 rem above the first line, and lets wide buttons wrap letter by letter on a phone.
STYLE = """<style>
[data-testid="stMainBlockContainer"] {padding-top: 4.25rem; padding-bottom: 4rem;}
[data-testid="stAppViewContainer"] {overflow-x: hidden;}
/* In the dark the primary colour carries white text, so as text itself it needs a lighter sister (AA: 7.6:1). */
[role="tab"][aria-selected="true"] p, [data-testid="stSliderThumbValue"],
button[data-variant]:is([aria-checked="true"], [aria-pressed="true"], [data-selected]) p {
  color: light-dark(#0B6E69, #3FB8AF);
}
@media (max-width: 640px) {
  .st-key-results_first_on_phones > div > [data-testid="stHorizontalBlock"] {flex-direction: column-reverse;}
  .st-key-results_first_on_phones [data-testid="stColumn"] {width: 100%; min-width: 100%;}
}
</style>"""


@dataclass(frozen=True)
class Step:
    """One step of the journey: a page."""

    key: str
    title: str
    icon: str
    file: str

    @property
    def path(self) -> str:
        """The page's file, as Streamlit wants it."""
        return str(FOLDER / self.file)


STEPS = (
    Step("find", "Find", ":material/search:", "1_find.py"),
    Step("data", "Data", ":material/table_rows:", "2_data.py"),
    Step("benchmark", "Benchmark", ":material/speed:", "3_benchmark.py"),
    Step("compare", "Compare", ":material/scatter_plot:", "4_compare.py"),
    Step("review", "Review", ":material/how_to_vote:", "5_review.py"),
    Step("export", "Export", ":material/package_2:", "6_export.py"),
)
_BY_KEY = {step.key: step for step in STEPS}


def pages() -> list[Page]:
    """The pages in journey order; a step that is done wears a tick.

    The address without a page leads to the first step: Streamlit would take the step's own address from a default page.
    """
    done = _done(state.current())
    home = st.Page(_first_step, title="Shortlist", url_path="home", default=True, visibility="hidden")
    return [
        home,
        *(
            st.Page(
                step.path,
                title=step.title,
                icon=":material/check_circle:" if step.key in done else step.icon,
                url_path=step.key,
            )
            for step in STEPS
        ),
    ]


def _first_step() -> None:
    go(STEPS[0].key, st.query_params.to_dict())


def show(page: Page) -> None:
    """Draw the frame and the page in it."""
    st.session_state["_framed"] = True
    wanted = st.session_state.pop("_wanted", None)
    if wanted:
        go(*wanted)
    st.html(STYLE)
    st.logo(FOLDER / "_ui" / "logo.svg", size="medium")
    with _errors_in_words():
        _header(state.current())
    page.run()


def run(body: Callable[[Selection], None], needs_selection: bool = True) -> None:
    """Run a page's body with the open selection; what the user can fix is shown in words.

    Args:
        body: Draws the page.
        needs_selection: Whether the page is empty without one; then it offers to start one.
    """
    _guard_cold_start()
    with _errors_in_words():
        selection = state.current()
        if selection is None:
            dialogs.first_selection()
            return
        body(selection)


def go(key: str, params: dict[str, str] | None = None) -> NoReturn:
    """Open the page of a step, with the selection in its address."""
    selection = st.session_state.get("_selection")
    st.switch_page(_BY_KEY[key].path, query_params={**({state.KEY: selection} if selection else {}), **(params or {})})
    raise AssertionError("switch_page ends the run")


def next_step(label: str, key: str, *, disabled: bool = False, help: str | None = None) -> None:
    """The one primary button of a page."""
    if st.button(label, type="primary", icon=":material/arrow_forward:", disabled=disabled, help=help, key="next_step"):
        go(key)


def missing(title: str, why: str, label: str, key: str) -> None:
    """A page that is not ready: which step is missing, and the way to it."""
    with st.container(border=True, horizontal_alignment="left"):
        st.subheader(title, anchor=False)
        st.write(why)
        next_step(label, key)


def _header(selection: Selection | None) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="frame_header"):
        if selection:
            dialogs.selection_menu(selection)
            st.caption(_summary(selection), width="stretch")
        with st.container(width="content"):
            health.mark()
    if selection and selection.example:
        with st.container(horizontal=True, vertical_alignment="center", key="example_banner"):
            st.info("This is an example with real results, made on this machine.", icon=":material/school:")
            st.page_link(_BY_KEY["compare"].path, label="See its answer", icon=":material/scatter_plot:")
            if st.button("Start your own", icon=":material/add:", key="start_own"):
                dialogs.new_selection()


def _summary(selection: Selection) -> str:
    from core import registry

    parts = [registry.task(selection.task).title] if selection.task else []
    models = len(cached.store().shortlist(selection.id))
    parts.append(f"{models} {'model' if models == 1 else 'models'}")
    if selection.evalset:
        parts.append(f"{len(cached.evalset(selection.evalset).ids):,} rows")
    run = cached.store().latest_run(selection.id)
    parts.append(f"run {cached.store().progress(run).status}" if run else "no run yet")
    return " · ".join(parts)


def _done(selection: Selection | None) -> set[str]:
    """Steps that have their result."""
    if selection is None:
        return set()
    store = cached.store()
    done = set()
    if store.shortlist(selection.id):
        done.add("find")
    if selection.evalset:
        done.add("data")
    run = store.latest_run(selection.id)
    if run and store.progress(run).status == "done":
        done |= {"benchmark", "compare"}
    if store.decisions(selection.id):
        done.add("review")
    return done


class _errors_in_words:
    """Shows a UserError as a message; everything else is a bug and keeps its traceback."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        if not isinstance(error, UserError):
            return False
        show_error(error)
        return True


def show_error(error: UserError) -> None:
    """What was wrong, what was found, what to do."""
    # Two texts of possibly foreign origin: shown as text, not as Markdown of ours.
    with st.container(border=True):
        st.markdown(f":red[:material/error:] **{_plain(error.message)}**")
        if error.hint:
            st.text(error.hint)


def _plain(text: str) -> str:
    from core.export.text import markdown

    return markdown(text)


def _guard_cold_start() -> None:
    """Go round by the entry file: until a process has run it once, Streamlit opens a page's address without it."""
    if "_framed" in st.session_state:
        return
    import inspect

    file = next(frame.filename for frame in inspect.stack() if Path(frame.filename).parent == FOLDER)
    key = next(step.key for step in STEPS if step.file == Path(file).name)
    st.session_state["_wanted"] = (key, {name: st.query_params[name] for name in st.query_params})
    st.switch_page("streamlit_app.py")
