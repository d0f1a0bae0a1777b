"""From the raw rows and times of a run to an answer that a person can defend.

    intervals, timing      one trial's numbers, with what the data can say about them
    summary                every trial of a run, summarised once: `analyse(run)`
    paired, ranking        trials against each other, and the rule that picks one
    latency_ratio          how many times longer one takes than another, and the machine's own noise
    serving                the server scenario, and MLPerf's names of the others
    writing                when the tokens of models that write come
    raced                  what a race was and saved
    notes                  what a reader of one trial must know
    report                 all of it as the JSON document other programs read
    views, versus, classes, rows   the same numbers arranged for a page
    figures, serving_figure   pictures of views; with drawing the only importers of Plotly

Everything here is a pure function of a `RunResult`.
"""
