"""A short text that says what a long one says."""

from __future__ import annotations

from core.tasks.base import Column, TaskSample
from core.tasks.sequence_to_sequence import SequenceToSequence

TASK = SequenceToSequence(
    name="summarization",
    title="Summarization",
    tags=("summarization", "text2text-generation"),
    columns=(
        Column(
            "text",
            "input",
            "text",
            "Text",
            guesses=(
                *("text", "document", "article", "dialogue", "content", "source", "body", "input", "report"),
                *("transcript", "conversation", "maintext", "story"),
            ),
        ),
        Column(
            "summary",
            "reference",
            "texts",
            "Summary",
            guesses=(
                *("summary", "highlights", "abstract", "target", "reference", "tldr", "headline", "output"),
                *("references", "summaries", "title"),
            ),
        ),
    ),
    samples=(
        TaskSample(
            inputs=(
                {"text": "The lift in building C stopped twice on Monday. A mechanic replaced a relay on Tuesday."},
                {"text": "Ana: lunch at one? Ben: make it half past. Ana: fine, see you there."},
                {"text": "Über den Dächern von Łódź fliegt ein Kranich. 鶴が飛ぶ。"},
            ),
            references=(
                "The lift in building C failed and was repaired.",
                ["Ana and Ben meet for lunch at half past one.", "Lunch at 13:30."],
                "A crane flies over Łódź.",
            ),
        ),
    ),
)
