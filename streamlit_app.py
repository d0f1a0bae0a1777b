"""The frame of the app: navigation in journey order, the selection in progress, health. Run by `make run`."""

import streamlit as st

from pages._ui import frame

page = st.navigation(frame.pages(), position="top")
st.set_page_config(page_title=f"{page.title} · Shortlist", page_icon="🏁", layout="wide")
frame.show(page)
