"""Serves a backend over HTTP on loopback. One connection carries one request."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .backend import Backend, Reply, json_reply
from .records import Records


def serve(backend: Backend, records: Records | None, port: int) -> None:
    """Answer on 127.0.0.1 until the process is ended; without `records` there is no database to read and write.

    Raises:
        OSError: the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = answer_of(backend, records, self.command, self.path, body)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PATCH = do_PUT = answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: nobody reads it."""

    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        if records is not None:
            records.make_tables_soon()
        server.serve_forever()


def answer_of(backend: Backend, records: Records | None, method: str, path: str, body: bytes) -> Reply:
    """What the application answers to a request."""
    reply = records.reply(method, path, body) if records is not None else None
    if reply is not None:
        return reply
    return backend.reply(path) if method == "GET" else json_reply(404, {"error": "not found"})
