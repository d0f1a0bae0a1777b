"""What the tiny models of these tests know, and a protocol that is over in a moment."""

from core.records import Protocol

WORDS = [f"w{number}" for number in range(200)]
LABELS = ("bad", "fair", "good")
QUICK = Protocol(latency_batch_sizes=(1, 4), min_calls=3, min_seconds=0.0, max_seconds=5.0, warmup=2)
