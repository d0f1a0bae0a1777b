"""The frame of the app: navigation in journey order, the selection in progress, health. Run by `make run`."""

import streamlit as st

from pages._ui import frame

st.set_page_config(page_title="Shortlist", page_icon="🏁", layout="wide")
frame.show(st.navigation(frame.pages(), position="top"))
