"""Loopback ports that nobody else gets.

A port that a program had and let go of may be the next one's, or the near end of somebody's
connection: tests run side by side. A socket that is bound to it and never listens keeps it for
servers that are told its number and bind with SO_REUSEADDR, as often as they start. While none of
them runs, connecting is refused.
"""
import socket


class HeldPort:
    """A port of 127.0.0.1, held until close()."""

    def __init__(self):
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number = self._socket.getsockname()[1]
        self.address = f"127.0.0.1:{self.number}"

    def close(self):
        self._socket.close()
