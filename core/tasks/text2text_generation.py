"""Any text from any text: rewriting, correcting, answering, by a sequence-to-sequence model."""

from __future__ import annotations

from core.tasks.base import Column, TaskSample
from core.tasks.sequence_to_sequence import SequenceToSequence

TASK = SequenceToSequence(
    name="text2text-generation",
    title="Text to text",
    tags=("text2text-generation", "summarization", "translation"),
    columns=(
        Column(
            "text",
            "input",
            "text",
            "Text",
            guesses=("text", "input", "source", "inputs", "prompt", "instruction", "question", "src", "document"),
        ),
        Column(
            "target",
            "reference",
            "texts",
            "Target",
            guesses=(
                *("target", "output", "targets", "reference", "references", "answer", "response", "completion"),
                *("tgt", "summary", "label"),
            ),
        ),
    ),
    samples=(
        TaskSample(
            inputs=({"text": "correct: She go to school every days."}, {"text": "shout: good morning"}),
            references=("She goes to school every day.", "GOOD MORNING"),
        ),
    ),
)
