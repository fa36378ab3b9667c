"""Doorbells between the processes of one machine: a datagram that says "there is something new". Losing one only costs a poll."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from hashlib import blake2b
from pathlib import Path

POLL_S = 0.05  # how long a missed ring can go unnoticed


ADDRESS_BYTES_MAX = 103  # of a unix socket's name: macOS has 104 with the final NUL, Linux 108


def _address(folder: Path, who: str) -> str:
    """A short path: data folders may be longer than a unix socket's name, and so may the folder for temporary files."""
    place = blake2b(str(folder.resolve()).encode(), digest_size=8).hexdigest()
    name = f"mainstay-{os.getuid()}-{place}-{who}"
    address = os.path.join(tempfile.gettempdir(), name)
    return address if len(os.fsencode(address)) <= ADDRESS_BYTES_MAX else f"/tmp/{name}"


class Bell:
    """The bell of one process; `fileno` makes it fit a selector or an event loop."""

    def __init__(self, folder: Path, who: str) -> None:
        self._path = _address(folder, who)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self._path)
        os.chmod(self._path, 0o600)
        self._socket.setblocking(False)

    def fileno(self) -> int:
        return self._socket.fileno()

    def drain(self) -> None:
        """Take all rings off; call it before looking for news, so that a ring in between is not lost."""
        with contextlib.suppress(BlockingIOError):
            while self._socket.recv(64):
                pass

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)


class Ringer:
    """Rings another process's bell. Nobody there, or a full queue, is no failure: whoever listens also polls."""

    def __init__(self, folder: Path, who: str) -> None:
        self._path = _address(folder, who)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def ring(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.sendto(b"!", self._path)

    def close(self) -> None:
        self._socket.close()
