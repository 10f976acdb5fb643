"""What a client may leave behind: threads and file descriptors."""

from __future__ import annotations

import os
import sys
import threading
import traceback


def client_threads() -> list[str]:
    """Return the names of the library's threads, those of embedded servers left out."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith("evolution-ws-") and "test-server" not in thread.name
    ]


def stacks() -> str:
    """Return where the library's threads are at the moment."""
    frames = sys._current_frames()
    return "\n".join(
        f"{thread.name}:\n{''.join(traceback.format_stack(frames[thread.ident]))}"
        for thread in threading.enumerate()
        if thread.name in client_threads() and thread.ident in frames
    )


def descriptors() -> dict[int, str]:
    """Return the open files and sockets of this process, and what each is."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:  # the one of the listing itself
            continue
    return found


def resident() -> int:
    """Return the memory of this process in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def new_descriptors(before: dict[int, str]) -> list[str]:
    """Return what is open now and was not *before*."""
    return [what for number, what in descriptors().items() if before.get(number) != what]
