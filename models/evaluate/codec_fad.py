"""What encoder and decoder make of recordings that no training saw: the Frechet distance to the originals.

N samples, C latent channels, T latent frames.
"""

import numpy as np
from tqdm import tqdm

from engine.decoder import HopDecoder
from engine.features import Features
from engine.timing import HOP
from models.data.index import Entry
from models.evaluate.context import Context
from models.evaluate.fad import OWN, Patches, Rows, embedders
from models.evaluate.frechet import ENOUGH_ROWS, across_halves, frechet
from models.evaluate.logmel import patches
from models.evaluate.result import Finding, MissingError, Row, without_judge
from models.evaluate.source import spread
from models.evaluate.summary import Sound

SECONDS = 6.0
LEAST = 4
GOAL = "at most that between two random halves of the originals"


class Codec:
    """A bundle's encoder and decoder, one after the other. One thread."""

    def __init__(self, context: Context) -> None:
        try:
            self._encoder = context.bundle.session("encoder")
        except KeyError:
            raise MissingError("needs a bundle with an encoder") from None
        self._features, self._decoder = Features(), HopDecoder(context.bundle, 0)

    def __call__(self, sound: Sound) -> Sound:
        """(2, N) to (2, T * HOP), later by the decoder's delay."""
        whole = sound[:, : sound.shape[1] // HOP * HOP]
        features = self._features(whole)
        (latents,) = self._encoder.run(None, {"features": features[None]})
        self._decoder.reset()
        return self._decoder.decode(latents[0])


def coloured_noise(sound: Sound, seed: int) -> Sound:
    """Noise with the mean magnitude spectrum of (2, N): what a codec is that keeps nothing else."""
    spectrum = np.fft.rfft(sound.astype(np.float64))
    smooth = 64  # bins, about 10 Hz of 6 s: no single bin of the original stays
    kernel = np.ones(smooth) / smooth
    power = np.stack([np.convolve(np.abs(channel) ** 2, kernel, "same") for channel in spectrum])
    turns = np.exp(2j * np.pi * np.random.default_rng(seed).random(spectrum.shape[1]))
    return np.fft.irfft(np.sqrt(power) * turns, sound.shape[1]).astype(np.float32)


def measure(context: Context) -> Finding:
    """FAD of reconstructions by the judge, and by MFCCs, which need none."""
    entries = spread(context.source.held_out, context.count(300, 36))
    if len(entries) < LEAST:
        raise MissingError("needs held-out recordings in the data (`aeolia data` with recordings)")
    codec = Codec(context)
    versions: list[list[Patches]] = [[], [], []]
    for number, entry in enumerate(tqdm(entries, "codec", unit="sound", disable=None)):
        original = context.source.sound(entry, SECONDS)
        made = patches(original), remade(context, codec, entry, original), patches(coloured_noise(original, number))
        for version, patch in zip(versions, made, strict=True):
            version.append(patch)
    rows = [] if context.judge else [without_judge("Codec: FAD of reconstructions of held-out recordings", GOAL)]
    for name, embed in embedders(context.judge).items():
        originals, coded, noise = ([embed(patch) for patch in version] for version in versions)
        rows += rows_of(name, originals, coded, noise, official=name != OWN)
    count = sum(map(len, versions[0]))
    remark = (
        f"Codec: {len(entries)} held-out sounds of up to {SECONDS:.0f} s, {count} patches of 0.96 s. "
        "The halves are half as many; that alone makes their distance larger, so the fair comparison is the second row:"
        " originals of one half against reconstructions of the other, both of one size. "
        "Floor: noise with the mean spectrum of each sound."
        + (f" Fewer than {ENOUGH_ROWS} patches: all of these distances are too large." if count < ENOUGH_ROWS else "")
    )
    return Finding(tuple(rows), remarks=(remark,))


def rows_of(
    name: str, originals: list[Rows], coded: list[Rows], noise: list[Rows], *, official: bool
) -> tuple[Row, Row]:
    """The two rows of one ear; only the judge's are asked anything."""
    halves = across_halves(originals, originals, 0)
    straight = frechet(np.concatenate(originals), np.concatenate(coded))
    worst = frechet(np.concatenate(originals), np.concatenate(noise))
    crossed, worst_crossed = across_halves(originals, coded, 0), across_halves(originals, noise, 0)
    goal, count = GOAL if official else "", len(originals)

    def row(what: str, value: float, floor: float) -> Row:
        reached, note = value <= halves if goal else None, f"{value / halves:.2f} of the halves' distance"
        return Row(f"Codec: FAD of reconstructions{what}, {name}", value, "", floor, halves, goal, reached, count, note)

    return row("", straight, worst), row(" of the other half", crossed, worst_crossed)


def remade(context: Context, codec: Codec, entry: Entry, original: Sound) -> Patches:
    """Log-mel patches of the reconstruction of a held-out sound, made once for each bundle."""
    what = f"patches through the codec of {context.studio.folder.name}"
    found: Patches = context.source.each(what, (entry,), lambda _: patches(codec(original)), quiet=True)[0]
    return found
