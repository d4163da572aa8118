"""A role that is ready at once and tells its environment: `python -m … serve`."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from typing_extensions import override


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = {"environment": dict(os.environ), "pid": os.getpid()}  # noqa: TID251 - to be shown
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    @override
    def log_message(self, format: str, *args: object) -> None:
        sys.stdout.write("asked\n")


if __name__ == "__main__":
    port = int(os.environ["LOWTIDE_PORT"])  # noqa: TID251 - as a role's settings would
    HTTPServer(("127.0.0.1", port), Handler).serve_forever()
