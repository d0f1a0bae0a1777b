"""Measures: a plan becomes trial specs (`plan`, `prepare`), a trial becomes events (`worker`).

    plan.read → prepare.prepare → worker.Worker: load → predict → time (with the others: latency.measure) → end

Only `backends/` knows a runtime such as PyTorch. Nothing here writes to a store: the worker speaks in `events`.
"""
