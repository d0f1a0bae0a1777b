"""The plain facts that travel between the rooms. Standard library only; a record does nothing.

    ModelQuery → Candidate        what was asked of a catalogue, and one answer
    DatasetSpec → EvalSet         where the rows come from, and the rows
    Plan → TrialSpec → Outcome    what to measure, one measurement, what came out
    Review, Decision              what people said, and what they signed

Every record is frozen and holds only plain values, so it can be written as JSON and hashed
(`core.codec`). Units stand in the field names or in the comment under the field.
"""

from core.records.models import Candidate, LicenseClass, ModelQuery, ReportedScore, Sort
from core.records.people import Decision, Review, Selection, Verdict
from core.records.plans import Limits, Plan, PlanCandidate, Protocol, TrialSpec, Variant
from core.records.results import (
    Chunk,
    Failure,
    FailureKind,
    FixedLengthSeries,
    LatencySeries,
    Outcome,
    RunResult,
    ServerSeries,
    Status,
    Stopped,
)
from core.records.rows import DatasetSpec, EvalSet, Sample, SkippedRow

__all__ = [
    "Candidate",
    "Chunk",
    "DatasetSpec",
    "Decision",
    "EvalSet",
    "Failure",
    "FailureKind",
    "FixedLengthSeries",
    "LatencySeries",
    "LicenseClass",
    "Limits",
    "ModelQuery",
    "Outcome",
    "Plan",
    "PlanCandidate",
    "Protocol",
    "ReportedScore",
    "Review",
    "RunResult",
    "Sample",
    "Selection",
    "ServerSeries",
    "SkippedRow",
    "Sort",
    "Status",
    "Stopped",
    "TrialSpec",
    "Variant",
    "Verdict",
]
