"""Measures: a plan becomes trial specs (`plan`, `prepare`), a trial becomes events (`worker`).

    plan.read → prepare.prepare → worker.run_trial: load → quality → latency → memory

Only `backends/` knows a runtime such as PyTorch. Nothing here writes to a store: the worker speaks in `events`.
"""
