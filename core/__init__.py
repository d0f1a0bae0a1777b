"""Which Hugging Face model do we ship, on which hardware, at which precision, and how do we know?

The journey, each step with its function:

    find       catalog.open_catalog(source).search(query)      → Candidates
    data       data.load(spec, task)                           → EvalSet
    plan       engine.plan.read(path)                          → Plan
    prepare    engine.prepare.prepare(plan)                    → Prepared, with a TrialSpec per candidate and variant
    queue      store.Store().submit(prepared)                  → run id
    benchmark  jobs.runner.Runner(store).work(run)             → Outcomes, row by row in the store
    compare    analysis.summary.analyse(store.run(run))        → Analysis, ranked by analysis.ranking.choose(analysis)
    review     review.sign(selection, run, trial, author, …)   → Decision
    export     export.bundle.bundle(run, trial)                → a zip that measures the same again
"""  # noqa: D400 - the first line is a question
