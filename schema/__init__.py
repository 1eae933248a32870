"""Data sets: one folder each, with settings, features, query and curated schema."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
