"""Embeddings of any model, judged by how alike they say two sentences are."""

from __future__ import annotations

from core.tasks.sentence_encoder import SentenceEncoder

TASK = SentenceEncoder(
    name="feature-extraction", title="Feature extraction", tags=("feature-extraction", "sentence-similarity")
)
