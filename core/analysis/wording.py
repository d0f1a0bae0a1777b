"""Names and numbers as people read them: short, with units, the same in every table and picture."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.analysis.intervals import Interval
    from core.records import Limits, Stopped, TrialSpec, Variant

NOTHING = "–"
SCREENED = "†"
"""Stands behind what was measured while rows were screened."""
SCREENING = (
    f"{SCREENED} Screened: a bf16 copy answered, and fp32 again where it was close. Rows/s, cost in bulk and energy "
    "are of both together: compare them with those of other screened trials only."
)
_DTYPES = {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16"}
_DEVICES = {"cpu": "CPU", "cuda": "GPU", "mps": "Apple GPU"}


def cut_middle(text: str, longest: int = 28) -> str:
    """The text, cut in the middle where it is too long: both ends of a model's name tell it from others."""
    if len(text) <= longest:
        return text
    tail = (longest - 1) * 2 // 3
    return f"{text[: longest - 1 - tail]}…{text[-tail:]}"


def device_name(device: str) -> str:
    """`cuda` → GPU."""
    return _DEVICES.get(device, device)


def dtype_name(variant: Variant) -> str:
    """`float32` → fp32; a quantised variant goes by its quantisation."""
    return variant.quantization or _DTYPES.get(variant.dtype, variant.dtype)


def model_names(models: Sequence[str]) -> dict[str, str]:
    """Model id → the shortest end of it that no other model shares, cut in the middle."""
    names = {}
    for model in set(models):
        parts = model.rstrip("/").split("/")
        ends = ["/".join(parts[-depth:]) for depth in range(1, len(parts) + 1)]
        others = [other for other in set(models) if other != model]
        unique = (end for end in ends if not any(f"/{other}".endswith(f"/{end}") for other in others))
        names[model] = cut_middle(next(unique, model))
    return names


def trial_names(specs: Sequence[TrialSpec]) -> list[str]:
    """One name per trial: its model, and of the variant only what differs between the trials."""
    models = model_names([spec.model for spec in specs])
    parts: list[list[str]] = [[models[spec.model]] for spec in specs]
    for words in (
        [device_name(spec.variant.device) for spec in specs],
        [dtype_name(spec.variant) for spec in specs],
        [spec.variant.backend if spec.variant.device else "" for spec in specs],
        [f"{spec.variant.threads or 'all'} threads" if spec.variant.device else "" for spec in specs],
        [f"@{spec.revision[:7]}" for spec in specs]
        if len({(s.model, s.revision) for s in specs}) > len(models)
        else [],
        [f"repeat {spec.repeat}" for spec in specs],
    ):
        if len(set(words) - {""}) > 1:  # predictions made elsewhere have no variant
            for part, word in zip(parts, words, strict=True):
                part += [word] if word else []
    return [" · ".join(part) for part in parts]


def three_digits(value: float) -> str:
    """Three significant digits, thousands separated, never in powers of ten."""
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 6)}f}".replace("-", "−")


def rate(per_second: float, screened: str | None) -> str:
    """343, and 343 † where rows were screened: then it is the speed of neither precision alone."""
    shown = three_digits(per_second)
    return f"{shown} {SCREENED}" if screened and math.isfinite(per_second) else shown


def milliseconds(value: float) -> str:
    """12.3 ms."""
    return NOTHING if math.isnan(value) else f"{three_digits(value)} ms"


def megabytes(value: float) -> str:
    """MB below a gigabyte, GB above; of 10^6 and 10^9 bytes."""
    if math.isnan(value):
        return NOTHING
    return f"{value / 1000:,.2f} GB" if value >= 1000 else f"{value:,.0f} MB"


def count(value: int | None) -> str:
    """66 M, 4.2 K: parameters and downloads."""
    if value is None:
        return NOTHING
    for size, unit in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if value >= size:
            return f"{value / size:.3g} {unit}" if value < 1000 * size else f"{value / size:,.0f} {unit}"
    return str(value)


def quality(value: float, digits: int = 3) -> str:
    """A score on its own scale, three decimals."""
    return NOTHING if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def quality_between(interval: Interval) -> str:
    """0.912 (0.893–0.928)."""
    if math.isnan(interval.low) or math.isnan(interval.high):
        return quality(interval.value)
    return f"{quality(interval.value)} ({quality(interval.low)}–{quality(interval.high)})"


def points(difference: float, percent: bool = True) -> str:
    """A difference with its sign, in percentage points where the metric is read as a percentage."""
    if math.isnan(difference):
        return NOTHING
    shown = f"{100 * difference:+.1f}" if percent else f"{difference:+.3f}"
    return shown.replace("-", "−") if float(shown) else shown[1:]


def left_the_race(stopped: Stopped, percent: bool) -> str:
    """Stopped after 400 rows: surely worse, −6.1 points (−9.0 to −3.2)."""
    difference, low, high = (points(one, percent) for one in (stopped.difference, stopped.low, stopped.high))
    unit = " points" if percent else ""
    return f"stopped after {stopped.rows:,} rows: surely worse, {difference}{unit} ({low} to {high})"


def what_rows_can_show(rows: int) -> str:
    """What a comparison on so many rows can and cannot tell, in a sentence."""
    from core.analysis.paired import detectable_difference

    least = detectable_difference(rows)
    if least is None:
        return f"{rows:,} rows cannot tell two models apart."
    return f"With {rows:,} rows a difference under {100 * least:.1f} points cannot be told from chance."


def p_value(p: float) -> str:
    """As in "p = 0.042 after Holm"; below a thousandth "p < 0.001"."""
    return f"p {'< 0.001' if p < 0.001 else f'= {p:.3f}'} after Holm"


def enumerate_words(words: Sequence[str]) -> str:
    """One, two and three."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def limits_in_words(limits: Limits) -> list[str]:
    """The limits that are set, one phrase each."""
    phrases = []
    if limits.latency_p95_ms is not None:
        phrases.append(f"p95 latency at most {milliseconds(limits.latency_p95_ms)}")
    if limits.memory_mb is not None:
        phrases.append(f"memory at most {megabytes(limits.memory_mb)}")
    if limits.params is not None:
        phrases.append(f"at most {count(limits.params)} parameters")
    if limits.download_mb is not None:
        phrases.append(f"download at most {megabytes(limits.download_mb)}")
    if limits.licenses:
        phrases.append(f"licence {' or '.join(limits.licenses)}")
    phrases += [f"{name} at least {quality(value)}" for name, value in limits.min_metrics.items()]
    return phrases


def file_size(bytes_: int | None) -> str:
    """4.1 MB: what a download or a file takes; powers of ten."""
    if bytes_ is None:
        return NOTHING
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if bytes_ >= size:
            return f"{bytes_ / size:.3g} {unit}"
    return f"{bytes_} B"


def duration(seconds: float) -> str:
    """8 s, 2 min 5 s, 1 h 12 min."""
    if math.isnan(seconds):
        return NOTHING
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def ago(moment: str, now: datetime | None = None) -> str:
    """4 min ago, of an ISO date and time; days beyond a month as the date itself."""
    then = datetime.fromisoformat(moment)
    if then.tzinfo is None:
        then = then.replace(tzinfo=UTC)
    seconds = ((now or datetime.now(UTC)) - then).total_seconds()
    if seconds < 60:
        return "just now"
    for size, unit, longest in ((60, "min", 60), (3600, "h", 24), (86400, "d", 31)):
        if seconds < size * longest:
            return f"{int(seconds // size)} {unit} ago"
    return then.date().isoformat()


def moment(when: str) -> str:
    """21 Nov 2026, 14:05 UTC, of an ISO date and time."""
    then = datetime.fromisoformat(when)
    then = then.replace(tzinfo=UTC) if then.tzinfo is None else then.astimezone(UTC)
    return f"{then.day} {then:%b %Y, %H:%M} UTC"


def plain(value: Any) -> str:
    """Any value of a row in words: a text as it is, a list with dots between, the things seen in a picture counted."""
    match value:
        case None:
            return NOTHING
        case str():
            return value
        case float():
            return f"{value:.3f}"
        case {"file": file}:
            return str(file).replace("\\", "/").rpartition("/")[2]
        case {"size": [_, _], "runs": runs}:
            return _shares(runs)
        case [{"box": _}, *_]:
            seen = Counter(str(one.get("label")) for one in value)
            return ", ".join(f"{number} × {label}" for label, number in seen.most_common())
        case list() | tuple():
            return " · ".join(map(plain, value)) or "none"
    return str(value)


def said(kind: str, value: Any, row: Mapping[str, Any]) -> str:
    """A value of a kind (`core.tasks.base.Kind`) in words, in the row it belongs to."""
    if kind == "words":
        return " ".join(value)
    if kind == "tags" and value is not None:
        words = next((one for one in row.values() if isinstance(one, list)), value)
        return _entities(words, value)
    return plain(value)


def _entities(words: Sequence[str], tags: Sequence[str]) -> str:
    """Angela Merkel (PER) · Łódź (LOC)."""
    from core.tasks.tags import OUTSIDE, iob2, split_labels

    split = split_labels(list(dict.fromkeys(tags)))
    found: list[tuple[list[str], str]] = []
    for word, (prefix, kind) in zip(words, iob2([split[tag] for tag in tags]), strict=False):
        if prefix == "I" and found:
            found[-1][0].append(word)
        elif prefix != OUTSIDE:
            found.append(([word], kind))
    return " · ".join(f"{' '.join(part)} ({kind})" for part, kind in found) or "none"


def _shares(runs: Sequence[tuple[str | None, int]]) -> str:
    """A segmented picture: how much of it each label covers."""
    covered: Counter[str] = Counter()
    for label, pixels in runs:
        covered[label or "unlabelled"] += pixels
    total = covered.total() or 1
    return ", ".join(f"{label} {pixels / total:.0%}" for label, pixels in covered.most_common())
