"""Where Mainstay listens."""

from __future__ import annotations

import socket

from mainstay.model.failures import Halt

BACKLOG = 2_048  # connections that wait to be accepted


def listening(host: str, port: int) -> socket.socket:
    """A listening socket. Raises Halt where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Halt(
            f"Mainstay cannot listen on {host}:{port} ({error.strerror}); stop what listens there, or set `listen` or `port` in [server]",
            "not_ready",
        ) from None
    listener.setblocking(False)
    return listener
