"""Files of recorded events: one JSON object a line, compressed when the name says so."""

from __future__ import annotations

import gzip
import json
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, cast

from ..events import Event
from ..exceptions import ConfigError


class Recorder:
    """
    Writes events to a file, each so that a crash loses none of those before it.

    Args:
        path:
            The file; a name that ends in ``.gz`` is compressed, ``-`` is standard output.
        append:
            Whether to go on at its end.
        overwrite:
            Whether it may exist already.

    Raises:
        ConfigError: It exists.
        OSError: It cannot be written.
    """

    def __init__(self, path: str, *, append: bool = False, overwrite: bool = False) -> None:
        self._file = _open(path, append, overwrite)
        self._is_compressed = path.endswith(".gz")
        # Appending to a compressed file adds a member to it, which readers take as one text.
        self._packer = zlib.compressobj(wbits=31) if self._is_compressed else None

    def write(self, event: Event) -> None:
        """Write *event*."""
        line = event.to_json().encode() + b"\n"
        if self._packer is not None:
            line = self._packer.compress(line) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        self._file.write(line)
        self._file.flush()

    def close(self) -> None:
        """Finish the file."""
        if self._packer is not None:
            self._file.write(self._packer.flush())
        self._file.close()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _open(path: str, append: bool, overwrite: bool) -> IO[bytes]:
    if path == "-":
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
    flags |= os.O_APPEND if append else os.O_TRUNC if overwrite else os.O_EXCL
    try:
        # Messages of people: for the eyes of whoever records alone.
        return os.fdopen(os.open(path, flags, 0o600), "wb")
    except FileExistsError:
        raise ConfigError(f"{path} exists; give --append or --force") from None


def read_events(path: str) -> Iterator[Event]:
    """
    Yield the events of a file, as they were recorded.

    A last line that was cut off by a crash is left out.

    Raises:
        ConfigError: A line is no event.
        OSError: The file cannot be read.
    """
    lines = _lines(path)
    number = 0
    for number, (line, is_whole) in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield Event.from_dict(json.loads(line))
        except (ValueError, TypeError):
            if not is_whole:
                return
            raise ConfigError(f"line {number} of {path} is no recorded event") from None


def _lines(path: str) -> Iterator[tuple[bytes, bool]]:
    with _reader(path) as file:
        try:
            for line in file:
                yield line, line.endswith(b"\n")
        except EOFError:  # a compressed file whose end is missing
            return
        except zlib.error as exc:
            raise ConfigError(f"{path} is damaged: {exc}") from None


def _reader(path: str) -> IO[bytes]:
    if path == "-":
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    if Path(path).suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    return open(path, "rb")
