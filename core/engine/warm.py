"""Imported once by a fork server: does at import what every trial would otherwise do first."""

from __future__ import annotations

from core import codec, registry
from core.engine.backends import pytorch
from core.engine.worker import Job
from core.records import TrialSpec, Variant

pytorch.import_all(pytorch.MODULES)
registry.tasks()
registry.metrics()
# The first of a kind compiles how the record is read.
_SPEC = TrialSpec("", "", "", "", "", Variant(), ())
codec.loads(Job, codec.dumps(Job(_SPEC, "", ({},))))
