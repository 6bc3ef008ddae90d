"""Is every prompt about as loud as the others? Gated loudness as ITU-R BS.1770-5 defines it.

N samples.
"""

from typing import Final

import numpy as np
import scipy.signal

from engine.timing import SAMPLE_RATE_HZ
from models.data.descriptions import DESCRIPTIONS
from models.evaluate.context import Context
from models.evaluate.prompts import prompts
from models.evaluate.result import Finding, Row, Table
from models.evaluate.source import spread
from models.evaluate.studio import Piece
from models.evaluate.summary import Sound

# BS.1770-5, tables 1 and 2: the head's shelf and the high pass of the K weighting, at 48 kHz.
SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (1.0, -1.69065929318241, 0.73248077421585),
)
HIGH_PASS: Final = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
OFFSET_LU: Final = -0.691
BLOCK_S, OVERLAP = 0.4, 4
ABSOLUTE_GATE, RELATIVE_GATE = -70.0, -10.0


def lufs(sound: Sound) -> float:
    """Integrated loudness of (2, N) in LUFS; -inf where all is below the absolute gate. ValueError below 0.4 s."""
    block = round(BLOCK_S * SAMPLE_RATE_HZ)
    if sound.shape[1] < block:
        raise ValueError(f"{sound.shape[1]} samples: must be at least {block}")
    weighted = sound.astype(np.float64)
    for numerator, denominator in (SHELF, HIGH_PASS):
        weighted = scipy.signal.lfilter(numerator, denominator, weighted, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(np.square(weighted), block, axis=1)[:, :: block // OVERLAP]
    power = windows.mean(axis=2).sum(axis=0)  # both channels weigh 1
    level = OFFSET_LU + 10 * np.log10(power + 1e-20)
    loud = power[level > ABSOLUTE_GATE]
    if not len(loud):
        return float("-inf")
    gate = OFFSET_LU + 10 * np.log10(loud.mean()) + RELATIVE_GATE
    return float(OFFSET_LU + 10 * np.log10(power[(level > ABSOLUTE_GATE) & (level > gate)].mean()))


def measure(context: Context) -> Finding:
    """The spread from the softest to the loudest, over the descriptions and over ordinary prompts."""
    groups = {
        "22 descriptions": DESCRIPTIONS[:: context.count(1, 3)],
        "30 ordinary prompts": prompts().ordinary[:: context.count(1, 5)],
    }
    seeds = range(context.count(4, 1))
    found: dict[str, dict[str, float]] = {}
    for name, texts in groups.items():
        sounds = context.studio.each([Piece(text, seed) for text in texts for seed in seeds], f"loudness, {name}")
        levels = np.array([lufs(sound) for sound in sounds]).reshape(len(texts), len(seeds)).mean(1)
        found[name] = dict(zip(texts, levels.tolist(), strict=True))
    real = source_spread(context)
    everything = {text: level for group in found.values() for text, level in group.items()}
    ceilings = {"22 descriptions": real}
    rows = [
        spread_row(name, levels, ceilings.get(name), len(seeds))
        for name, levels in {**found, "all prompts": everything}.items()
    ]
    cells = tuple((text, f"{level:.1f}") for text, level in sorted(everything.items(), key=lambda item: item[1]))
    table = Table("Loudness by prompt, the softest first", ("prompt", "LUFS"), cells)
    return Finding(tuple(rows), (table,), remarks=("Loudness: ceiling: the spread of the source sounds' mean levels.",))


def spread_row(name: str, levels: dict[str, float], ceiling: float | None, seeds: int) -> Row:
    """The range of the levels, with their deviation."""
    values = np.array(list(levels.values()))
    heard = values[np.isfinite(values)]
    silent = len(values) - len(heard)
    note = f"deviation {heard.std():.1f} dB" if len(heard) else ""
    note += f", {silent} silent" if silent else ""
    value = float(np.ptp(heard)) if len(heard) else None
    return Row(f"Loudness: spread of {name}", value, "dB", None, ceiling, count=len(values) * seeds, note=note)


def source_spread(context: Context) -> float | None:
    """The range of the mean loudness of the source sounds of each description; None where there are too few."""
    means = []
    for number in range(0, len(DESCRIPTIONS), context.count(1, 3)):
        chosen = [entry for entry in context.source.procedural if entry.description == number]
        levels = [lufs(context.source.sound(entry)) for entry in spread(chosen, context.count(20, 3))]
        heard = [level for level in levels if np.isfinite(level)]
        if heard:
            means.append(float(np.mean(heard)))
    return float(np.ptp(means)) if len(means) > 1 else None
