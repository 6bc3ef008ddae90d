"""The clock of the sound that every bundle makes: its sample rate, and how many samples a latent frame lasts."""

from typing import Final

SAMPLE_RATE_HZ: Final = 48_000
HOP: Final = 1024
"""Samples in one latent frame: 46.875 latent frames a second."""
