from pages._ui import frame


def page(selection):
    frame.missing("Soon", "This page is being built.", "Back to Find", "find")


frame.run(page)
