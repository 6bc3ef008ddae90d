"""The General MIDI instruments and sound effects that are played, and the words for what they play: tables only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """A preset of the General MIDI sound font."""

    program: int
    family: str
    names: tuple[str, ...]
    """What people call it."""
    held_out: tuple[str, ...]
    low: int
    high: int
    """Lowest and highest key that sounds like it."""
    forms: tuple[str, ...]
    bank: int = 0


SUSTAINED = ("note", "note", "chord", "chord", "phrase", "phrase", "drone")
PLUCKED = ("notes", "arpeggio", "chord", "phrase")
SOLO = ("note", "note", "phrase", "phrase")
ROLLED = ("notes", "roll")

INSTRUMENTS: tuple[Instrument, ...] = (
    Instrument(0, "piano", ("piano", "grand piano"), ("a concert grand",), 24, 84, PLUCKED),
    Instrument(4, "piano", ("electric piano", "Rhodes piano"), ("a Fender Rhodes",), 28, 84, PLUCKED),
    Instrument(6, "harpsichord", ("harpsichord",), ("a baroque keyboard",), 36, 84, PLUCKED),
    Instrument(8, "mallet", ("celesta",), ("a keyed glockenspiel",), 60, 84, PLUCKED),
    Instrument(9, "mallet", ("glockenspiel",), ("orchestra bells",), 67, 84, PLUCKED),
    Instrument(10, "mallet", ("music box",), ("a mechanical musical toy",), 60, 84, PLUCKED),
    Instrument(11, "mallet", ("vibraphone", "vibes"), ("a vibraharp",), 53, 84, PLUCKED),
    Instrument(12, "mallet", ("marimba",), ("wooden bars with resonators",), 45, 84, (*PLUCKED, "roll")),
    Instrument(13, "mallet", ("xylophone",), ("wooden bars struck with mallets",), 60, 84, (*PLUCKED, "roll")),
    Instrument(14, "bells", ("tubular bells", "chimes"), ("orchestral chimes",), 48, 77, ("notes", "phrase", "chord")),
    Instrument(14, "bells", ("church bell", "church bells"), ("a bell tower",), 36, 72, ("notes", "notes", "phrase"), 8),
    Instrument(112, "bells", ("tinkle bell", "small bells"), ("tiny hand bells",), 60, 84, ("notes", "phrase")),
    Instrument(108, "mallet", ("kalimba", "thumb piano"), ("an mbira",), 48, 84, PLUCKED),
    Instrument(114, "mallet", ("steel drums", "steel pan"), ("Caribbean pans",), 52, 84, (*PLUCKED, "roll")),
    Instrument(16, "organ", ("drawbar organ", "Hammond organ", "organ"), ("an electric organ",), 28, 84, SUSTAINED),
    Instrument(18, "organ", ("rock organ", "organ with a rotary speaker"), ("a Leslie organ",), 36, 84, SUSTAINED),
    Instrument(19, "organ", ("church organ", "pipe organ"), ("a cathedral's organ",), 24, 84, (*SUSTAINED, "chord")),
    Instrument(19, "organ", ("church organ", "soft church organ"), ("a chapel organ",), 24, 84, SUSTAINED, 8),
    Instrument(20, "reed", ("reed organ", "harmonium"), ("a pump organ",), 36, 84, SUSTAINED),
    Instrument(21, "reed", ("accordion",), ("a squeezebox",), 48, 84, SUSTAINED),
    Instrument(22, "reed", ("harmonica",), ("a mouth organ",), 60, 84, (*SOLO, "chord")),
    Instrument(64, "reed", ("soprano saxophone", "saxophone"), ("a straight sax",), 56, 84, SOLO),
    Instrument(66, "reed", ("tenor saxophone", "saxophone", "sax"), ("a jazz horn",), 44, 75, SOLO),
    Instrument(67, "reed", ("baritone saxophone", "low saxophone"), ("a bari sax",), 36, 68, SOLO),
    Instrument(68, "reed", ("oboe",), ("a double reed",), 58, 84, SOLO),
    Instrument(70, "reed", ("bassoon",), ("a low double reed",), 34, 69, SOLO),
    Instrument(71, "reed", ("clarinet",), ("a licorice stick",), 50, 84, SOLO),
    Instrument(109, "reed", ("bagpipe", "bagpipes"), ("a Highland piper",), 52, 76, ("note", "phrase", "drone")),
    Instrument(24, "guitar", ("nylon guitar", "classical guitar", "acoustic guitar"), ("a Spanish guitar",), 40, 79, PLUCKED),
    Instrument(25, "guitar", ("steel guitar", "acoustic guitar", "folk guitar"), ("a western guitar",), 40, 79, PLUCKED),
    Instrument(27, "guitar", ("clean electric guitar", "electric guitar"), ("a Stratocaster",), 40, 81, PLUCKED),
    Instrument(29, "guitar", ("overdriven guitar", "electric guitar with overdrive"), ("a cranked amp",), 40, 79, SUSTAINED),
    Instrument(30, "guitar", ("distorted guitar", "heavy metal guitar"), ("a fuzz guitar",), 36, 79, SUSTAINED),
    Instrument(105, "guitar", ("banjo",), ("a bluegrass picker",), 48, 79, PLUCKED),
    Instrument(104, "guitar", ("sitar",), ("an Indian lute",), 48, 77, PLUCKED),
    Instrument(107, "guitar", ("koto",), ("a Japanese zither",), 50, 82, PLUCKED),
    Instrument(46, "strings", ("harp",), ("an angel's instrument",), 28, 84, PLUCKED),
    Instrument(15, "strings", ("hammered dulcimer", "dulcimer"), ("a cimbalom",), 48, 84, (*PLUCKED, "roll")),
    Instrument(40, "strings", ("violin", "solo violin"), ("a fiddler",), 55, 84, SOLO),
    Instrument(41, "strings", ("viola",), ("an alto violin",), 48, 81, SOLO),
    Instrument(42, "strings", ("cello", "solo cello"), ("a violoncello",), 36, 76, (*SOLO, "drone")),
    Instrument(43, "strings", ("double bass", "bowed bass", "contrabass"), ("an upright bass, bowed",), 28, 60, (*SOLO, "drone")),
    Instrument(44, "strings", ("tremolo strings", "trembling strings"), ("nervous violins",), 36, 84, SUSTAINED),
    Instrument(45, "strings", ("pizzicato strings", "plucked strings"), ("fingers on violins",), 36, 84, PLUCKED),
    Instrument(48, "strings", ("strings", "string section", "string orchestra"), ("massed violins",), 28, 84, SUSTAINED),
    Instrument(49, "strings", ("slow strings", "soft strings"), ("a lush orchestra",), 28, 84, SUSTAINED),
    Instrument(50, "pads", ("synth strings", "synthesised strings"), ("a string machine",), 28, 84, SUSTAINED),
    Instrument(56, "brass", ("trumpet",), ("a bugler",), 54, 82, SOLO),
    Instrument(59, "brass", ("muted trumpet", "trumpet with a mute"), ("a Harmon mute",), 54, 82, SOLO),
    Instrument(57, "brass", ("trombone",), ("a slide horn",), 36, 72, SOLO),
    Instrument(58, "brass", ("tuba",), ("an oompah bass",), 26, 58, (*SOLO, "notes")),
    Instrument(60, "brass", ("French horn", "horns"), ("hunting horns",), 36, 77, SUSTAINED),
    Instrument(61, "brass", ("brass section", "brass"), ("a big band's horns",), 36, 79, SUSTAINED),
    Instrument(72, "flute", ("piccolo",), ("a tiny flute",), 72, 84, SOLO),
    Instrument(73, "flute", ("flute",), ("a silver flute",), 60, 84, SOLO),
    Instrument(74, "flute", ("recorder",), ("a school flute",), 60, 84, SOLO),
    Instrument(75, "flute", ("pan flute", "pan pipes"), ("pipes from the Andes",), 55, 84, SOLO),
    Instrument(76, "flute", ("blown bottle", "bottle"), ("someone blows over a jug",), 48, 79, SOLO),
    Instrument(77, "flute", ("shakuhachi", "bamboo flute"), ("a Zen flute",), 50, 81, SOLO),
    Instrument(78, "flute", ("whistle", "whistling"), ("someone whistling",), 60, 84, SOLO),
    Instrument(79, "flute", ("ocarina",), ("a clay flute",), 60, 84, SOLO),
    Instrument(52, "voice", ("choir", "choir singing aah", "singing choir"), ("a chorus in a cathedral",), 36, 79, SUSTAINED),
    Instrument(53, "voice", ("voices", "voices singing ooh", "humming choir"), ("a cappella singers",), 40, 79, SUSTAINED),
    Instrument(54, "voice", ("synth choir", "synthetic voices"), ("robots singing",), 36, 84, SUSTAINED),
    Instrument(85, "voice", ("solo voice", "lone voice"), ("a lone vocalist",), 45, 79, SOLO),
    Instrument(80, "lead", ("square wave", "square wave synth"), ("a chip tune tone",), 36, 84, SUSTAINED),
    Instrument(81, "lead", ("sawtooth synth", "saw wave"), ("a trance lead",), 30, 84, SUSTAINED),
    Instrument(80, "lead", ("sine wave", "sine tone", "pure tone"), ("a test tone",), 30, 84, SUSTAINED, 8),
    Instrument(88, "pads", ("fantasia pad", "glassy synth pad"), ("a new age synthesiser",), 36, 84, SUSTAINED),
    Instrument(89, "pads", ("warm pad", "warm synth pad", "synth pad"), ("a cosy analogue cloud",), 28, 84, SUSTAINED),
    Instrument(91, "pads", ("space voice pad", "choir pad"), ("voices from space",), 36, 84, SUSTAINED),
    Instrument(92, "pads", ("bowed glass pad", "glass pad", "bowed glass"), ("a crystal cloud",), 36, 84, SUSTAINED),
    Instrument(93, "pads", ("metal pad", "metallic pad"), ("a shimmering metal cloud",), 30, 84, SUSTAINED),
    Instrument(94, "pads", ("halo pad", "angelic pad"), ("a heavenly synthesiser",), 36, 84, SUSTAINED),
    Instrument(95, "pads", ("sweep pad", "sweeping synth pad"), ("a filter opens slowly",), 28, 84, SUSTAINED),
    Instrument(97, "pads", ("soundtrack pad", "cinematic pad"), ("a film score's bed",), 28, 79, SUSTAINED),
    Instrument(101, "pads", ("goblin pad", "spooky synth pad"), ("a haunted synthesiser",), 28, 79, SUSTAINED),
    Instrument(96, "bells", ("ice rain", "icy synth bells"), ("frozen drops, electronic",), 48, 84, PLUCKED),
    Instrument(98, "bells", ("crystal bells", "synth bells"), ("sparkling electronic chimes",), 48, 84, PLUCKED),
    Instrument(32, "bass", ("acoustic bass", "plucked double bass"), ("a jazz bass walking",), 28, 55, ("notes", "phrase")),
    Instrument(33, "bass", ("bass guitar", "electric bass"), ("a four-string",), 24, 55, ("notes", "phrase")),
    Instrument(35, "bass", ("fretless bass",), ("a gliding bass guitar",), 28, 57, ("notes", "phrase")),
    Instrument(38, "bass", ("synth bass", "analogue synth bass"), ("a Moog bass",), 24, 55, ("notes", "note", "phrase")),
    Instrument(39, "bass", ("synth bass", "deep electronic bass"), ("a club's sub",), 24, 55, ("notes", "note", "phrase")),
    Instrument(47, "drums", ("timpani", "kettledrums"), ("an orchestra's drums",), 38, 58, ROLLED),
    Instrument(116, "drums", ("taiko drum", "big Japanese drum"), ("a ceremonial drum",), 36, 60, ROLLED),
    Instrument(117, "drums", ("tom-tom", "toms"), ("skins struck by sticks",), 36, 64, ROLLED),
    Instrument(115, "drums", ("wood block", "woodblock"), ("a temple block",), 48, 79, ROLLED),
)  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """A General MIDI sound effect: one key held all the time."""

    program: int
    bank: int
    kind: str
    says: tuple[str, ...]
    held_out: tuple[str, ...]


EFFECTS: tuple[Effect, ...] = (
    Effect(122, 0, "waves", ("seashore", "waves on the shore", "the sea", "surf"), ("a beach",)),
    Effect(122, 1, "rain", ("rain", "steady rain", "falling rain"), ("a wet day",)),
    Effect(122, 2, "thunder", ("thunder", "a thunderstorm", "rolling thunder"), ("lightning close by",)),
    Effect(122, 3, "wind", ("wind", "howling wind", "whistling wind"), ("a gale",)),
    Effect(122, 4, "stream", ("a stream", "a river", "running water", "a brook"), ("a creek in the woods",)),
    Effect(122, 5, "bubbles", ("bubbles", "bubbling water", "bubbling"), ("a boiling pot",)),
    Effect(123, 0, "birds", ("birds", "tweeting birds", "a bird"), ("songbirds",)),
    Effect(125, 0, "helicopter", ("a helicopter", "a chopping helicopter", "rotor blades"), ("a chopper",)),
    Effect(125, 6, "train", ("a train", "a steam train", "a train on rails"), ("a locomotive",)),
    Effect(125, 7, "jet", ("a jet plane", "a jet engine", "an aircraft"), ("an airliner",)),
    Effect(125, 8, "spaceship", ("a starship", "a spaceship", "a sci-fi engine"), ("a UFO",)),
    Effect(125, 5, "alarm", ("a siren", "a wailing siren", "an alarm siren"), ("an ambulance",)),
    Effect(124, 5, "bell", ("wind chimes", "tinkling wind chimes", "chimes in the wind"), ("a mobile of bells",)),
    Effect(126, 0, "crowd", ("applause", "clapping", "an applauding audience"), ("an ovation",)),
)
EFFECT_CLIPS = 4
"""Clips of each effect."""

FORM_WORDS: dict[str, tuple[str, ...]] = {
    "note": (
        "{name}", "{name}, long note, {pitch}", "a long {name} note", "{name} holding {pitch}", "one {name} note in {key}",
        "a {register}{name} note", "{register}{name}, {pitch}", "sustained {name}",
    ),
    "notes": (
        "{name}", "{name} notes", "repeated {name} notes", "{name}, {pitch}, again and again", "single {register}{name} notes",
        "{register}{name} in {key}", "slow {name} notes",
    ),
    "chord": (
        "{name}", "{name} chord", "a {register}{name} chord in {key}", "{name}, {key} {mode} chord", "{key} {mode} on {name}",
        "a {mode} {name} chord", "chords on {name}", "{register}{name} chords",
    ),
    "phrase": (
        "{name}", "slow {name} phrase in {key} {mode}", "a slow {name} melody", "{name} playing slowly in {key} {mode}",
        "{name} melody", "a {register}{name} phrase", "{mode} {name} melody",
    ),
    "arpeggio": (
        "{name}", "{name} arpeggio in {key} {mode}", "broken chords on {name}", "{name} arpeggios", "rippling {name}",
        "{register}{name} arpeggio", "{mode} arpeggio on {name}",
    ),
    "drone": (
        "{name}", "{name} drone", "a {register}{name} drone in {key}", "{name} drone on {key}", "droning {name}",
        "long {register}{name} fifth",
    ),
    "roll": ("{name}", "{name} roll", "rolling {name}", "a fast {name} roll", "{name} tremolo", "rapid {name} strokes"),
}  # fmt: skip
HELD_OUT_WORDS: dict[str, tuple[str, ...]] = {
    "note": ("{pitch} played on the {name}", "a single tone of {name}", "{held_out}"),
    "notes": ("the {name} strikes {pitch}", "{held_out}, repeating"),
    "chord": ("harmony of {name} in {key} {mode}", "{held_out}, chords"),
    "phrase": ("a {name} sings a tune", "{held_out}, a tune in {key}"),
    "arpeggio": ("a {name} runs up and down a chord", "{held_out}, arpeggios"),
    "drone": ("an endless {name} tone", "{held_out}, droning"),
    "roll": ("a {name} struck very fast", "{held_out}, a roll"),
}  # fmt: skip
