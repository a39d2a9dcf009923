"""Serves a backend over HTTP on loopback. One connection carries one request."""

import importlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .backend import Backend

DATABASE_TIMEOUT_SECONDS = 5


def check_database(url: str) -> None:
    """Connect to the database and ask it for a one. Raises what psycopg raises, or RuntimeError for another answer."""
    # The library is large, and a backend whose database nobody asks for starts sooner without it.
    psycopg = importlib.import_module("psycopg")
    with psycopg.connect(url, connect_timeout=DATABASE_TIMEOUT_SECONDS) as connection:
        row = connection.execute("SELECT 1").fetchone()
    if row != (1,):
        raise RuntimeError("the database answered something else")


def serve(backend: Backend, port: int) -> None:
    """Answer on 127.0.0.1 until the process is ended. Raises OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = backend.reply(self.path)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: nobody reads it."""

    ThreadingHTTPServer.daemon_threads = True
    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()
