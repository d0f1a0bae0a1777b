"""Batches prepared one ahead, on a stand-in for `torch.cuda`: the thread, the order and the tensors are real."""

import threading
from contextlib import contextmanager

import pytest

from core import registry
from core.engine import quality
from core.engine.backends.pytorch import BACKEND, TorchSession
from core.engine.backends.torch_ahead import Ahead
from core.engine.backends.torch_devices import Cpu
from core.engine.events import Note, Rows
from core.errors import TrialFailed
from core.records import Protocol, Variant
from core.tasks.base import Context, Piece
from tests.engine.tiny import LABELS

TASK = registry.task("text-classification")


class FakeCuda:
    """Streams and events that record in which order they are used."""

    def __init__(self):
        self.log, self._local = [], threading.local()

    def Stream(self):
        return "copies"

    def Event(self):
        return Event(self)

    @contextmanager
    def stream(self, stream):
        self._local.stream = stream
        yield
        self._local.stream = None

    def current_stream(self):
        return Stream(self)


class Stream:
    def __init__(self, cuda):
        self.cuda = cuda

    def wait_event(self, event):
        assert event.recorded
        self.cuda.log.append("waits")


class Event:
    recorded = False

    def __init__(self, cuda):
        self.cuda = cuda

    def record(self, stream):
        assert stream == self.cuda._local.stream == "copies"
        self.recorded = True
        self.cuda.log.append("copied")


class Tensor:
    """Remembers what was done to it."""

    def __init__(self, *done):
        self.done = done

    def pin_memory(self):
        return Tensor(*self.done, "pinned")

    def to(self, device, non_blocking):
        return Tensor(*self.done, device, non_blocking)

    def record_stream(self, stream):
        self.done += ("kept for the model's stream",)


class Gpu(Cpu):
    """The processor, which takes its batches as a GPU would."""

    def __init__(self):
        self.cuda, self.emptied = FakeCuda(), 0

    def ahead(self):
        return Ahead(self.cuda, "cpu")

    def empty_cache(self):
        self.emptied += 1


@pytest.fixture
def gpu(classifier, monkeypatch):
    """A session on that device."""
    import torch

    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor.clone())
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda tensor, stream: None)
    loaded = BACKEND.load(classifier, TASK, Variant(threads=1))
    return TorchSession(loaded.model, loaded.processor, TASK, Gpu())


def predict(session, rows, **protocol):
    events, labels = [], {label: label for label in LABELS}
    context = Context(LABELS, session.model_labels, labels, protocol=Protocol(**protocol))
    quality.run(session, TASK, rows, context, done=(), emit=events.append)
    found = {}
    for event in events:
        if isinstance(event, Rows):
            found |= dict(zip(event.positions, event.predictions, strict=True))
    return found, [event.text for event in events if isinstance(event, Note)]


def pieces(count):
    return [Piece({"input_ids": [number]}, 1, 1) for number in range(count)]


def test_a_batch_goes_from_pinned_memory_on_a_stream_of_its_own_and_the_model_waits_for_it():
    cuda, batch = FakeCuda(), pieces(2)
    ahead = Ahead(cuda)
    ahead.begin(batch, lambda: {"input_ids": Tensor(), "names": ["a"]})
    found = ahead.take(batch)
    assert found["input_ids"].done == ("pinned", "cuda", True, "kept for the model's stream")
    assert found["names"] == ["a"]
    assert cuda.log == ["copied", "waits"]
    assert ahead.take(batch) is None, "a batch is taken once"


def test_another_batch_than_the_one_that_was_begun_is_not_mixed_up_with_it():
    ahead, batch = Ahead(FakeCuda()), pieces(3)
    ahead.begin(batch, dict)
    assert ahead.take(batch[:2]) is None
    equal = pieces(3)
    ahead.begin(batch, dict)
    assert ahead.take(equal) is None, "equal pieces of another row are not the same"
    ahead.begin(batch, dict)
    ahead.drop()
    assert ahead.take(batch) is None


def test_what_padding_raises_is_raised_where_the_batch_is_wanted():
    def padded():
        raise ValueError("no padding token")

    ahead, batch = Ahead(FakeCuda()), pieces(1)
    ahead.begin(batch, padded)
    with pytest.raises(ValueError, match="no padding token"):
        ahead.take(batch)


def test_rows_get_the_same_predictions_and_every_batch_but_the_first_was_prepared(gpu, classifier, rows):
    expected, _ = predict(BACKEND.load(classifier, TASK, Variant(threads=1)), rows, batch_size=8)
    found, _ = predict(gpu, rows, batch_size=8)
    assert found == expected
    assert gpu.device.cuda.log.count("waits") == len(rows) // 8 + bool(len(rows) % 8) - 1


def test_a_batch_is_padded_while_the_one_before_it_runs(gpu, rows, monkeypatch):
    """The model of the first batch only answers once the second one has been padded."""
    padded, waited = threading.Event(), []
    collate, forward = TASK.collate, TASK.forward

    def watched_collate(processor, batch):
        if threading.current_thread() is not threading.main_thread():
            padded.set()
        return collate(processor, batch)

    def slow_forward(model, processor, batch, context):
        waited.append(padded.wait(20))
        return forward(model, processor, batch, context)

    monkeypatch.setattr(gpu, "task", TaskWith(watched_collate, slow_forward))
    one, other = TASK.encode(gpu.processor, rows[:2], Context())
    gpu.forward(one, Context(), other)
    assert waited == [True]


class TaskWith:
    def __init__(self, collate, forward):
        self.collate, self.forward = collate, forward


def test_what_was_prepared_makes_room_when_memory_runs_out(gpu, rows, monkeypatch):
    def full(model, processor, batch, context):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(gpu, "task", TaskWith(TASK.collate, full))
    one, other = TASK.encode(gpu.processor, rows[:2], Context())
    with pytest.raises(TrialFailed, match="out of memory"):
        gpu.forward(one, Context(), other)
    assert gpu._ahead.take(other) is None


def test_out_of_memory_halves_the_batch_and_goes_on(gpu, rows, monkeypatch):
    forward = TASK.forward

    def small_room(model, processor, batch, context):
        if len(batch["input_ids"]) > 4:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return forward(model, processor, batch, context)

    expected, _ = predict(gpu, rows, batch_size=4)
    monkeypatch.setattr(gpu, "task", TaskWith(TASK.collate, small_room))
    found, notes = predict(gpu, rows, batch_size=16)
    assert found == expected
    assert [note.split(":")[1] for note in notes] == [" went on with 8.", " went on with 4."]
    assert gpu.device.emptied == 2


def test_the_clock_of_the_device_leaves_padding_and_copying_out(gpu, rows, monkeypatch):
    clock = iter((4, 9))
    seen = []
    monkeypatch.setattr(gpu.device, "mark", lambda: (seen.append("mark"), next(clock))[1])
    monkeypatch.setattr(gpu.device, "nanoseconds", lambda began, ended: ended - began)
    monkeypatch.setattr(gpu.device, "synchronize", lambda: seen.append("synchronize"))

    def collate(processor, batch):
        seen.append("padded")
        return TASK.collate(processor, batch)

    def forward(*batch):
        seen.append("model")
        return TASK.forward(*batch)

    monkeypatch.setattr(gpu, "task", TaskWith(collate, forward))
    (one,) = TASK.encode(gpu.processor, rows[:1], Context())
    gpu.forward(one, Context())
    assert seen == ["padded", "mark", "model", "mark", "synchronize"]
    assert gpu.device_ns == 5


def test_the_processor_prepares_nothing_ahead(classifier, rows, monkeypatch):
    session = BACKEND.load(classifier, TASK, Variant(threads=1))
    threads = []
    monkeypatch.setattr(threading.Thread, "start", lambda thread: threads.append(thread))
    predict(session, rows[:20], batch_size=4)
    assert threads == []
    assert session.device_ns is None
