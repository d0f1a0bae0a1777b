import contextlib

import numpy as np
import pytest

from core import registry
from core.engine.backends import torch_regions
from core.engine.backends.pytorch import BACKEND
from core.engine.backends.torch_regions import import_compiler, regions
from core.records import Variant
from core.tasks.base import Context

TASK = registry.task("text-classification")


@pytest.fixture
def session(classifier):
    return BACKEND.load(classifier, TASK, Variant(threads=1))


def graphs():
    import_compiler()
    import torch

    return torch._dynamo.utils.counters["stats"]["unique_graphs"]


def test_models_whose_layers_differ_or_are_shared_have_nothing_to_compile(session):
    assert regions(session).count == 2
    session.model.bert.encoder.layer = session.model.bert.encoder.layer[:1]
    assert regions(session) is None
    assert regions(object()) is None


def test_layers_share_a_code_for_all_shapes_and_are_given_back_as_they_were(session, rows):
    pieces = [piece for row in TASK.encode(session.processor, rows, Context()) for piece in row]
    sorted_pieces = sorted(pieces, key=lambda piece: -piece.length)
    batches = [sorted_pieces[:20], [sorted_pieces[40]] * 20, sorted_pieces[30:37], sorted_pieces[60:]]
    single = sorted_pieces[50:51]
    expected = [session.forward(batch, Context()) for batch in (*batches, single)]
    entered = []

    @contextlib.contextmanager
    def apart():
        entered.append("in")
        yield
        entered.append("out")

    layers, before = regions(session, apart), graphs()
    try:
        layers.start()
        assert entered == ["in"]
        compiled = [session.forward(batch, Context()) for batch in batches]
        layers.settle()
        assert entered == ["in", "out"]
        assert graphs() - before == 2, "with padding and without, whatever the shapes"
        # One row by itself would be compiled by itself: it runs as written.
        assert np.array_equal(session.forward(single, Context()), expected[-1])
        assert graphs() - before == 2
        for one, other in zip(compiled, expected, strict=False):
            assert np.abs(one - other).max() < 1e-4
        layers.switch(False)
        assert np.array_equal(session.forward(batches[0], Context()), expected[0])
    finally:
        layers.undo()
    assert entered == ["in", "out"] * 2
    again = [session.forward(batch, Context()) for batch in (*batches, single)]
    assert all(map(np.array_equal, again, expected))
    assert not any(layer._compiled_call_impl for layer in session.model.bert.encoder.layer)
    layers.undo()
    assert entered == ["in", "out"] * 2


def test_a_compiler_that_cannot_start_leaves_nothing_open(session, monkeypatch):
    left = []

    @contextlib.contextmanager
    def apart():
        yield
        left.append("left")

    def broken():
        raise ImportError("no compiler in this build")

    monkeypatch.setattr(torch_regions, "import_compiler", broken)
    layers = regions(session, apart)
    with pytest.raises(ImportError):
        layers.start()
    layers.undo()
    assert left == ["left"]
