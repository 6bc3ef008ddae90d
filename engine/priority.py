"""Threads that sound hangs on go before other programs, where the system lets them."""

import contextlib
import os
import sys
import threading
from typing import Final

RENDER_NICE: Final = -15
GENERATOR_NICE: Final = -10
"""Also raised: it now and then holds the interpreter's lock, and whoever delays it then delays the render thread."""


def prefer_this_thread(nice: int) -> None:
    """Gives the calling thread this nice value on Linux, as root or with a nice limit; elsewhere nothing changes."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
