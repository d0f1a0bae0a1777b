"""The bundled offline catalogue: small models, small data sets, made by `python -m samples.make`."""

from pathlib import Path

ROOT = Path(__file__).parent
