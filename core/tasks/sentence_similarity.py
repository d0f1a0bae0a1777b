"""How alike two sentences are, by models that are made for it."""

from __future__ import annotations

from core.tasks.sentence_encoder import SentenceEncoder

TASK = SentenceEncoder(
    name="sentence-similarity", title="Sentence similarity", tags=("sentence-similarity", "feature-extraction")
)
