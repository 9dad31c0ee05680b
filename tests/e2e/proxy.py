"""A TCP relay that stands in for a bad network or a bad gateway: black hole, slow, cut, refused."""
import socket
import threading


class Proxy:
    """Listens on a free loopback port and treats connections by `mode`, which may change at any
    time: "pass", "hold" (accepts and says nothing), "cut" (closes after the first bytes from the
    server), "close" (accepts and closes), "garbage" (answers bytes that are not TLS), or "drip"
    (one byte of the server's answer a step, never ending soon)."""

    def __init__(self, target, mode="pass"):
        self.target, self.mode = target, mode
        self.connections = 0
        self._open, self._lock = set(), threading.Lock()
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with self._lock:
                self._open.add(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        mode = self.mode
        if mode == "close":
            self._end(client)
        elif mode == "garbage":
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self._end(client)
        elif mode == "hold":
            self._stop.wait()
        else:
            self._relay(client, mode)

    def _relay(self, client, mode):
        try:
            server = socket.create_connection(self.target, 5)
        except OSError:
            self._end(client)
            return
        with self._lock:
            self._open.add(server)
        threading.Thread(target=self._copy, args=(client, server, "pass"), daemon=True).start()
        self._copy(server, client, mode)

    def _copy(self, source, sink, mode):
        try:
            while data := source.recv(65536):
                if mode == "drip":
                    for i in range(len(data)):
                        sink.sendall(data[i:i + 1])
                        if self._stop.wait(0.2):
                            return
                else:
                    sink.sendall(data)
                if mode == "cut":
                    break
        except OSError:
            pass
        self._end(source)
        self._end(sink)

    def _end(self, sock):
        with self._lock:
            self._open.discard(sock)
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        sock.close()

    def close(self):
        self._stop.set()
        self._listener.close()
        with self._lock:
            left = list(self._open)
        for sock in left:
            self._end(sock)


def black_hole():
    """(address, keep): a loopback port whose SYNs are never answered: the backlog is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    keep = [listener]
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        keep.append(filler)
    return "127.0.0.1:%d" % listener.getsockname()[1], keep
