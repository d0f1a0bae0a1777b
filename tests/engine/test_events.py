import math

import pytest

from core.engine import events
from core.records import Failure, LatencySeries, ServerSeries

ALL = [
    events.Stage("load"),
    events.Loaded(1.5, 120.25),
    events.Rows((3, 1), ({"answer": "good", "scores": [0.1, 0.9]}, {"answer": "ä\n"}), 0.25, 17),
    events.Timed(1, 2, 3),
    events.Untimed(Failure("out_of_memory", "8 rows do not fit")),
    events.Latency(LatencySeries(8, (1, 2), (3, 4), (5, 6), 99, 10)),
    events.Served(ServerSeries(12.5, 1000, (7, 8), (2,))),
    events.Memory({"peak": 10.0, "model": 5.5}),
    events.Note("busy"),
    events.Done({"torch": "2", "gpu": None}),
    events.Failed(Failure("load", "broken", "fetch again", "tail")),
]


@pytest.mark.parametrize("event", ALL, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_as_it_was_sent_and_is_one_line(event):
    line = events.to_json(event)
    assert b"\n" not in line
    assert events.from_json(line) == event


def test_a_number_that_is_none_is_not_sent():
    with pytest.raises(ValueError, match="JSON"):
        events.to_json(events.Memory({"peak": math.nan}))


@pytest.mark.parametrize("data", [b'{"event": "boom"}', b"[]", b"{}", b"no json"])
def test_what_is_not_an_event_is_refused(data):
    with pytest.raises(ValueError, match=r"event|Expecting"):
        events.from_json(data)
