"""The compiled audio callback: everything that happens between the audio ring and the sound card.

One contiguous block of memory is the whole state. It is seen three times, as int64 `w`, float64 `d` and float32 `f`; a
word has one type for life. PortAudio's callback, the null device and offline rendering all run the same `render`: no
lock, no allocation, no Python, and the block is always filled. A frame goes through: ring (or the mirrored, fading
past while the ring is empty), a matrix of channels x 2 that holds level, gate, width and pan, a look-ahead limiter,
meters, tap.

Every compiled function lives in this one file, because numba's disk cache watches the file of the function it stores
and no other: a callee elsewhere could change behind a stale cache.

Letters: `C` output channels, `L` limiter window in frames, `p` absolute frame position.
"""
# mypy: ignore-errors
# (numba's own signatures are the types here; to mypy an intrinsic and a carray look wrong)

import ctypes
import math
import sys
from typing import Any, Final

import llvmlite.binding
import numpy as np
from numba import carray, cfunc, njit, types
from numba.extending import intrinsic

TICK: Final = 16
"""Parameters move on a grid of this many frames (absolute positions) and linearly in between."""
FADE_IN: Final = 256
"""Frames (5.3 ms at 48 kHz) in which fresh sound takes over again after a gap."""
FADE_OUT: Final = 1024
"""Frames (21 ms) for which the past is played backwards and faded while the ring is empty."""
HISTORY: Final = 2048
"""Frames of what was played, kept for that: while FADE_OUT are read backwards, as many are written, and never meet."""
LOOKAHEAD: Final = 32
"""`L`, the limiter's window; it delays the sound by L - 1 frames (0.65 ms)."""
CEILING: Final = float(np.nextafter(np.float32(10.0 ** (-0.3 / 20.0)), np.float32(0.0)))
"""-0.3 dBFS, rounded down to a float32."""
GAIN_ONE: Final = 1 << 40
"""1.0 in the limiter's fixed point: integer sums are exact, so the running mean never drifts, in months."""

SLOTS: Final = 6
LEVEL, AZIMUTH, WIDTH, RATE, DEPTH, GATE = range(SLOTS)

QUEUE: Final = 256
"""Entries of the control ring and of the table of those not yet due; four words each: seq, slot, value, sample."""
LOG: Final = 4096
"""Entries of the ring of applied controls, four words each."""
MAX_CHANNELS: Final = 64

# Word addresses. An index that another thread polls has a cache line (8 words) to itself.
TOTAL, CHANNELS, RING, TAP, TAP_AT, RING_AT, SAMPLE_RATE = range(7)
AUDIO_WRITTEN, AUDIO_READ = 8, 16
CONTROL_WRITTEN, CONTROL_READ = 24, 32
LOG_WRITTEN, LOG_READ = 40, 48
TAP_WRITTEN, TAP_READ, TAP_ON, STOP = 56, 64, 72, 80
SEQLOCK = 88
# What the seqlock guards: one reader's copy of METERS_AT .. METERS_END is consistent.
METERS_AT: Final = 96
POSITION, TIME_NS, EMPTY_READS, EMPTY_FRAMES, TAP_LOST, XRUNS, BAD_FRAMES, LOG_LOST = range(METERS_AT, METERS_AT + 8)
REDUCTION: Final = METERS_AT + 8
PEAK: Final = METERS_AT + 9
POWER: Final = PEAK + MAX_CHANNELS
METERS_END: Final = POWER + MAX_CHANNELS
# Owned by the callback alone.
PENDING, PRIMED, HOLDING, HOLD_AT, HELD, FADED, PAST_AT, WINDOW_AT, SINCE, GAIN_SUM = range(METERS_END, METERS_END + 10)
PHASE, RELEASE, RELEASE_RATE, GATE_STEP, PEAK_FALL, RMS_RATE, HALF_ANGLE = range(METERS_END + 10, METERS_END + 17)
CLOCK: Final = METERS_END + 18
TARGET: Final = METERS_END + 20
FIRST: Final = TARGET + SLOTS
SECOND: Final = FIRST + SLOTS
SMOOTHING: Final = SECOND + SLOTS
SPEAKER: Final = SMOOTHING + SLOTS
ORDER: Final = SPEAKER + MAX_CHANNELS
MATRIX: Final = ORDER + MAX_CHANNELS
STEP: Final = MATRIX + 2 * MAX_CHANNELS
GOAL: Final = STEP + 2 * MAX_CHANNELS
REQUIRED: Final = GOAL + 2 * MAX_CHANNELS
MEAN: Final = REQUIRED + LOOKAHEAD
DELAY: Final = MEAN + LOOKAHEAD
PAST: Final = DELAY + LOOKAHEAD * MAX_CHANNELS
CONTROLS: Final = PAST + 2 * HISTORY
WAITING: Final = CONTROLS + 4 * QUEUE
APPLIED: Final = WAITING + 4 * QUEUE
HEAD_WORDS: Final = (APPLIED + 4 * LOG + 7) // 8 * 8
"""Words before the audio ring and the tap, whose sizes the state chooses."""

_WINDOWS: Final = sys.platform == "win32"
# What time.monotonic_ns reads: CLOCK_UPTIME_RAW, CLOCK_MONOTONIC.
_CLOCK_ID: Final = 8 if sys.platform == "darwin" else 1
_NJIT: Final[dict[str, Any]] = {"nogil": True, "cache": True, "error_model": "numpy"}


def _symbol(name: str, function: Any) -> None:
    """Makes a C function known to the linker of compiled code, also of code that comes from the disk cache."""
    llvmlite.binding.add_symbol(name, ctypes.cast(function, ctypes.c_void_p).value)


if _WINDOWS:
    _kernel32 = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    _symbol("aeolia_clock", _kernel32.QueryPerformanceCounter)
    _symbol("aeolia_sleep", _kernel32.Sleep)
    _frequency = ctypes.c_int64()
    _kernel32.QueryPerformanceFrequency(ctypes.byref(_frequency))
    CLOCK_HZ: Final = int(_frequency.value)
    _read_clock = types.ExternalFunction("aeolia_clock", types.int32(types.uintp))
    _nap = types.ExternalFunction("aeolia_sleep", types.void(types.uint32))
else:
    _libc = ctypes.CDLL(None)
    _symbol("aeolia_clock", _libc.clock_gettime)
    _symbol("aeolia_sleep", _libc.nanosleep)
    CLOCK_HZ = 1_000_000_000
    _read_clock = types.ExternalFunction("aeolia_clock", types.int32(types.int32, types.uintp))
    _nap = types.ExternalFunction("aeolia_sleep", types.int32(types.uintp, types.uintp))


@intrinsic
def _load(typing_context, words, index):
    """Atomic acquire load of `words[index]`, after a full fence (Arm reorders without)."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        builder.fence("seq_cst")
        return builder.load_atomic(builder.gep(array.data, [args[1]]), "acquire", 8)

    return types.int64(words, types.intp), generate


@intrinsic
def _store(typing_context, words, index, value):
    """Atomic release store of `words[index]`, with a full fence behind it."""

    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        builder.store_atomic(args[2], builder.gep(array.data, [args[1]]), "release", 8)
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(words, types.intp, types.int64), generate


@njit("int64(int64[::1], int64)", **_NJIT)
def load(w, index):
    """The word `w[index]`, and everything its writer wrote before it. Any thread."""
    return _load(w, index)


@njit("void(int64[::1], int64, int64)", **_NJIT)
def store(w, index, value):
    """Sets `w[index]` and publishes with it everything this thread wrote before. The index's one writer."""
    _store(w, index, value)


@njit(**_NJIT)
def _now_ns(w):
    """The monotonic clock in nanoseconds (raw counter ticks on Windows); no system call on Linux and macOS."""
    at = w[CLOCK:].ctypes.data
    if _WINDOWS:
        _read_clock(at)
        return w[CLOCK]
    _read_clock(_CLOCK_ID, at)
    return w[CLOCK] * 1_000_000_000 + w[CLOCK + 1]


@njit(**_NJIT)
def _pan(d, w, theta, c):
    """Gain of output channel c for a source at theta degrees; the squares of all channels sum to 1.

    Two speakers: constant-power sine/cosine law over sin(theta)/sin(half angle), the rear mirrored to the front. A
    ring: the same law between the two speakers that enclose theta (pairwise panning, Pulkki, "Virtual sound source
    positioning using VBAP", 1997).
    """
    channels = w[CHANNELS]
    if channels == 1:
        return math.sqrt(0.5)
    if channels == 2:
        x = math.sin(math.radians(theta)) / math.sin(math.radians(d[HALF_ANGLE]))
        x = (min(max(x, -1.0), 1.0) + 1.0) * math.pi / 4.0
        return math.cos(x) if c == w[ORDER] else math.sin(x)
    theta = theta - 360.0 * math.floor((theta - d[SPEAKER]) / 360.0)  # less than a turn clockwise of the first speaker
    pair = channels - 1
    while pair > 0 and theta < d[SPEAKER + pair]:
        pair -= 1
    following = pair + 1 if pair + 1 < channels else 0
    end = d[SPEAKER + following] + (360.0 if following == 0 else 0.0)
    x = (theta - d[SPEAKER + pair]) / (end - d[SPEAKER + pair]) * math.pi / 2.0
    if c == w[ORDER + pair]:
        return math.cos(x)
    return math.sin(x) if c == w[ORDER + following] else 0.0


@njit(**_NJIT)
def _aim(w, d):
    """Writes to GOAL the C x 2 matrix that the smoothed parameters ask for: level, gate, width (mid/side) and pan in
    one.
    """
    gate = d[SECOND + GATE]
    gain = d[SECOND + LEVEL] * gate * gate * (3.0 - 2.0 * gate)
    near, far = 0.5 * (1.0 + d[SECOND + WIDTH]), 0.5 * (1.0 - d[SECOND + WIDTH])
    azimuth = d[SECOND + AZIMUTH] + d[SECOND + DEPTH] * math.sin(2.0 * math.pi * d[PHASE])
    for c in range(w[CHANNELS]):
        left, right = _pan(d, w, azimuth - 30.0, c), _pan(d, w, azimuth + 30.0, c)
        d[GOAL + 2 * c] = gain * (left * near + right * far)
        d[GOAL + 2 * c + 1] = gain * (left * far + right * near)


@njit(**_NJIT)
def _take(w, d):
    """Moves what the control ring holds into the waiting table, which is sorted by due sample, then by arrival."""
    read, written = w[CONTROL_READ], _load(w, CONTROL_WRITTEN)
    while read < written and w[PENDING] < QUEUE:
        entry = CONTROLS + 4 * (read % QUEUE)
        k = w[PENDING]
        while k > 0 and w[WAITING + 4 * (k - 1) + 3] > w[entry + 3]:
            k -= 1
        for j in range(w[PENDING] - 1, k - 1, -1):
            for word in range(4):
                if word == 2:
                    d[WAITING + 4 * j + 6] = d[WAITING + 4 * j + 2]
                else:
                    w[WAITING + 4 * j + 4 + word] = w[WAITING + 4 * j + word]
        w[WAITING + 4 * k], w[WAITING + 4 * k + 1], w[WAITING + 4 * k + 3] = w[entry], w[entry + 1], w[entry + 3]
        d[WAITING + 4 * k + 2] = d[entry + 2]
        w[PENDING] += 1
        read += 1
    _store(w, CONTROL_READ, read)


@njit(**_NJIT)
def _apply(w, d, p):
    """Sets the targets of all waiting controls that are due at frame p, and logs where they took effect."""
    due = 0
    while due < w[PENDING] and w[WAITING + 4 * due + 3] <= p:
        entry = WAITING + 4 * due
        slot, value = w[entry + 1], d[entry + 2]
        if slot == LEVEL:
            d[TARGET + LEVEL] = 10.0 ** (value / 20.0)
        elif slot == AZIMUTH:  # the short way round
            turn = value - d[TARGET + AZIMUTH]
            d[TARGET + AZIMUTH] += turn - 360.0 * math.floor((turn + 180.0) / 360.0)
        else:
            d[TARGET + slot] = value
        at = w[LOG_WRITTEN]
        if at - _load(w, LOG_READ) < LOG:
            log = APPLIED + 4 * (at % LOG)
            w[log], w[log + 1], w[log + 3] = w[entry], slot, p
            d[log + 2] = value
            _store(w, LOG_WRITTEN, at + 1)
        else:
            w[LOG_LOST] += 1
        due += 1
    if due > 0:
        w[PENDING] -= due
        for j in range(w[PENDING]):
            for word in range(4):
                if word == 2:
                    d[WAITING + 4 * j + 2] = d[WAITING + 4 * (j + due) + 2]
                else:
                    w[WAITING + 4 * j + word] = w[WAITING + 4 * (j + due) + word]


@njit(**_NJIT)
def _tick(w, d, p):
    """Every TICK frames: takes due controls, moves each parameter on, and sets the matrix on its way to the next tick.

    Two one-pole filters in a row: a step starts and ends without a corner. The gate moves linearly and is shaped in
    `_aim`.
    """
    channels = w[CHANNELS]
    _apply(w, d, p)
    if p == 0:  # what was set before the first frame holds from the first frame
        for slot in range(SLOTS):
            d[FIRST + slot] = d[SECOND + slot] = d[TARGET + slot]
        _aim(w, d)
        for k in range(2 * channels):
            d[MATRIX + k] = d[GOAL + k]
    for k in range(2 * channels):
        if p > 0:
            d[MATRIX + k] = d[GOAL + k]
    for slot in range(GATE):
        target = d[TARGET + slot]
        d[FIRST + slot] += d[SMOOTHING + slot] * (target - d[FIRST + slot])
        d[SECOND + slot] += d[SMOOTHING + slot] * (d[FIRST + slot] - d[SECOND + slot])
        if abs(d[SECOND + slot] - target) < 1e-9 and abs(d[FIRST + slot] - target) < 1e-9:
            d[FIRST + slot] = d[SECOND + slot] = target
    if abs(d[SECOND + AZIMUTH]) > 720.0:  # many turns one way: keep the numbers small
        turns = 360.0 * round(d[SECOND + AZIMUTH] / 360.0)
        d[TARGET + AZIMUTH] -= turns
        d[FIRST + AZIMUTH] -= turns
        d[SECOND + AZIMUTH] -= turns
    step = d[TARGET + GATE] - d[SECOND + GATE]
    d[SECOND + GATE] += min(max(step, -d[GATE_STEP]), d[GATE_STEP])
    d[PHASE] += d[SECOND + RATE] * TICK / w[SAMPLE_RATE]
    d[PHASE] -= math.floor(d[PHASE])
    _aim(w, d)
    for k in range(2 * channels):
        d[STEP + k] = (d[GOAL + k] - d[MATRIX + k]) / TICK


@njit(**_NJIT)
def _past(w, d, side):
    """The past before the gap, played backwards (no jump where it turns) and fading to nothing over FADE_OUT frames."""
    if w[HELD] >= FADE_OUT:
        return 0.0
    fade = math.cos(0.5 * math.pi * w[HELD] / FADE_OUT)
    return d[PAST + 2 * ((w[HOLD_AT] - w[HELD]) % HISTORY) + side] * fade * fade


@njit(**_NJIT)
def _limit(w, d, peak):
    """The gain, in 0..1, for the frame L - 1 frames ago, when the newest frame's highest channel is `peak`.

    Minimum over L frames, exponential release, mean over L frames: the mean only sees minima that cover its frame, so
    the product stays under the ceiling, and the gain moves as a ramp (D. Giannoulis and others, JAES 60(6), 2012,
    section 2).
    """
    at = w[WINDOW_AT]
    required = CEILING / peak if peak > CEILING else 1.0
    d[REQUIRED + at] = required
    w[SINCE] = 0 if required < 1.0 else w[SINCE] + 1
    low = 1.0
    if w[SINCE] < LOOKAHEAD:
        for k in range(LOOKAHEAD):
            low = min(low, d[REQUIRED + k])
    release = d[RELEASE] + (1.0 - d[RELEASE]) * d[RELEASE_RATE]
    if release > 1.0 - 1e-9:
        release = 1.0
    d[RELEASE] = min(low, release)
    fixed = int(d[RELEASE] * GAIN_ONE)
    w[GAIN_SUM] += fixed - w[MEAN + at]
    w[MEAN + at] = fixed
    return w[GAIN_SUM] / (LOOKAHEAD * GAIN_ONE)


@njit("void(int64[::1], float64[::1], float32[::1], float32[::1], int64, int64, int64)", **_NJIT)
def render(w, d, f, out, frames, now_ns, xrun):
    """Fills `out`, frames x C interleaved float32, with the next block.

    `now_ns` is the monotonic time at which the block was asked for, `xrun` is 1 where the device says that sound was
    lost before it. One thread at a time: the device's, or the one that renders offline.
    """
    channels = w[CHANNELS]
    start = w[POSITION]
    read = w[AUDIO_READ]
    available = _load(w, AUDIO_WRITTEN) - read
    ring, ring_at = w[RING], w[RING_AT]
    at = read % ring
    lowest = 1.0
    empty = 0
    _take(w, d)
    _store(w, SEQLOCK, w[SEQLOCK] + 1)
    for c in range(channels):
        d[PEAK + c] *= d[PEAK_FALL] ** frames
    rms_keep = (1.0 - d[RMS_RATE]) ** frames
    rms_add = (1.0 - rms_keep) / max(frames, 1)
    for c in range(channels):
        d[POWER + c] *= rms_keep
    for n in range(frames):
        p = start + n
        if p % TICK == 0:
            _tick(w, d, p)

        if n < available:
            left, right = float(f[ring_at + 2 * at]), float(f[ring_at + 2 * at + 1])
            at = at + 1 if at + 1 < ring else 0
            if not (abs(left) < 64.0 and abs(right) < 64.0):  # also true for what is not a number
                left = right = 0.0
                w[BAD_FRAMES] += 1
            w[PRIMED] = 1
            if w[HOLDING] == 1:
                w[HOLDING] = w[FADED] = 0
            if w[FADED] < FADE_IN:
                w[FADED] += 1
                fresh = math.sin(0.5 * math.pi * w[FADED] / FADE_IN) ** 2
                left = fresh * left + (1.0 - fresh) * _past(w, d, 0)
                right = fresh * right + (1.0 - fresh) * _past(w, d, 1)
                w[HELD] += 1
        else:
            if w[HOLDING] == 0:
                w[HOLDING], w[HELD], w[HOLD_AT] = 1, 1, w[PAST_AT]
            left, right = _past(w, d, 0), _past(w, d, 1)
            w[HELD] = min(w[HELD] + 1, FADE_OUT)
            empty += w[PRIMED]
        w[PAST_AT] = w[PAST_AT] + 1 if w[PAST_AT] + 1 < HISTORY else 0
        d[PAST + 2 * w[PAST_AT]], d[PAST + 2 * w[PAST_AT] + 1] = left, right

        window = w[WINDOW_AT]
        peak = 0.0
        for c in range(channels):
            y = d[MATRIX + 2 * c] * left + d[MATRIX + 2 * c + 1] * right
            d[MATRIX + 2 * c] += d[STEP + 2 * c]
            d[MATRIX + 2 * c + 1] += d[STEP + 2 * c + 1]
            d[DELAY + window * channels + c] = y
            peak = max(peak, abs(y))
        gain = _limit(w, d, peak)
        lowest = min(lowest, gain)
        window = window + 1 if window + 1 < LOOKAHEAD else 0
        w[WINDOW_AT] = window
        for c in range(channels):
            y = min(max(gain * d[DELAY + window * channels + c], -CEILING), CEILING)
            out[n * channels + c] = y
            d[PEAK + c] = max(d[PEAK + c], abs(y))
            d[POWER + c] += y * y * rms_add

    w[POSITION] = start + frames
    w[TIME_NS] = now_ns
    w[XRUNS] += xrun
    if empty > 0:
        w[EMPTY_READS] += 1
        w[EMPTY_FRAMES] += empty
    for c in range(channels):
        if d[POWER + c] < 1e-20:
            d[POWER + c] = 0.0
        if d[PEAK + c] < 1e-10:
            d[PEAK + c] = 0.0
    d[REDUCTION] = max(0.0, -20.0 * math.log10(max(lowest, 1e-6)))
    if _load(w, TAP_ON) == 1:
        written, tap = w[TAP_WRITTEN], w[TAP]
        room = min(frames, tap - (written - _load(w, TAP_READ)))
        for n in range(room):
            to = w[TAP_AT] + (written + n) % tap * channels
            for c in range(channels):
                f[to + c] = out[n * channels + c]
        w[TAP_LOST] += frames - room
        _store(w, TAP_WRITTEN, written + room)
    _store(w, SEQLOCK, w[SEQLOCK] + 1)
    _store(w, AUDIO_READ, read + min(frames, max(available, 0)))


@cfunc(
    types.int32(types.voidptr, types.voidptr, types.ulong, types.voidptr, types.ulong, types.voidptr),
    cache=True,
    error_model="numpy",
)
def portaudio_callback(_input, output, frames, _time, status, userdata):
    """PortAudio's PaStreamCallback; userdata points at the state, 0 is paContinue, bit 2 of status
    paOutputUnderflow.
    """
    total = carray(userdata, (8,), np.int64)[TOTAL]
    w = carray(userdata, (total,), np.int64)
    d = carray(userdata, (total,), np.float64)
    f = carray(userdata, (2 * total,), np.float32)
    n = np.int64(frames)
    out = carray(output, (n * w[CHANNELS],), np.float32)
    render(w, d, f, out, n, _now_ns(w), np.int64((status >> 2) & 1))
    return 0


@njit("void(int64[::1], float64[::1], float32[::1], float32[::1], int64)", **_NJIT)
def run_null(w, d, f, out, frames):
    """Renders block after block in real time until w[STOP] is 1, without the interpreter's lock.

    Block k is due at start + k * frames / rate, an absolute schedule that doesn't drift. More than 0.1 s late (a
    suspended machine) the schedule moves on and one xrun is counted, as a sound card would.
    """
    hz = CLOCK_HZ
    start = _now_ns(w)
    k = 0
    xrun = 0
    while _load(w, STOP) == 0:
        due = start + int(k * frames * (hz / w[SAMPLE_RATE]))
        wait = due - _now_ns(w)
        if wait > 0:
            if _WINDOWS:
                _nap(np.uint32(wait * 1000 // hz + 1))
            else:
                w[CLOCK], w[CLOCK + 1] = wait // hz, wait % hz
                at = w[CLOCK:].ctypes.data
                _nap(at, np.uintp(0))
            continue
        if -wait > hz // 10:
            start -= wait
            xrun = 1
        render(w, d, f, out, frames, _now_ns(w), xrun)
        xrun = 0
        k += 1
