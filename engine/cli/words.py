"""What the command line reads and says before any command is known; loads nothing heavy."""

import re
import shlex
import sys
from collections.abc import Iterable


def apart(arguments: Iterable[str]) -> list[str]:
    """`--emotion fear=8 anger=2` as `--emotion fear=8 --emotion anger=2`, so that it never takes the words after it."""
    spread: list[str] = []
    among = False
    for argument in arguments:
        if among and spread[-1] != "--emotion" and re.fullmatch(r"\w+=\S*", argument):
            spread.append("--emotion")
        else:
            among = argument == "--emotion" or (among and spread[-1] == "--emotion")
        spread.append(argument)
    return spread


def installing(extra: str) -> str:
    """What installs an extra, to be typed in the folder that Aeolia was cloned into: it is in no package index."""
    return f"{shlex.quote(sys.executable)} -m pip install -e '.[{extra}]'"
