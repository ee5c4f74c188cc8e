"""A schema registry for tests: the documented part of Confluent's HTTP interface, in memory, over real HTTP.

    python3 registry.py PORT [--login USER:PASSWORD] [--certificate FILE --key FILE] [--store FILE]

Port 0 picks one; the first line of standard output is the port, the second the one at which it speaks without TLS. What
is registered is added to the store, one line of JSON each, and is there again after a start with the same store. It keeps

    GET  /schemas/ids/{id}                       {"schema", "schemaType" unless Avro, "references" if any}
    GET  /subjects                               ["name", …]
    GET  /subjects/{subject}/versions            [1, 2, …]
    GET  /subjects/{subject}/versions/{version}  the version's number, or "latest"
    POST /subjects/{subject}/versions            {"schema", "schemaType", "references"} -> {"id"}

with media type application/vnd.schemaregistry.v1+json and errors {"error_code", "message"}: 40401, 40402, 40403, 409,
42201, 50001, 401. What is wrong with it is set by PUT /-/mode with one of the words in MODES as the body, and
GET /-/log gives the paths asked for since the last time, one a line.
"""

import argparse
import base64
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
MODES = [
    "ok", "500", "503", "429", "401", "403", "404", "html", "cut", "array", "hang", "elsewhere", "moved", "loop",
    "incompatible", "numbers-500",
]


class Registry:
    def __init__(self):
        self.lock = threading.Lock()
        self.schemas = {}  # id -> {"schema", "schemaType", "references"}
        self.subjects = {}  # name -> [id]
        self.mode = "ok"
        self.log = []
        self.changed = threading.Condition(self.lock)
        self.store = None

    def open(self, path):
        """Takes in what a store has, and adds to it from then on."""
        with open(path, "a+", encoding="utf-8") as lines:
            lines.seek(0)
            for line in lines:
                self.register(*json.loads(line))
        self.store = path

    def register(self, subject, entry):
        for number, known in self.schemas.items():
            if known == entry:
                break
        else:
            number = len(self.schemas) + 1
            self.schemas[number] = entry
        versions = self.subjects.setdefault(subject, [])
        if number not in versions:
            versions.append(number)
            if self.store is not None:
                with open(self.store, "a", encoding="utf-8") as lines:
                    lines.write(json.dumps([subject, entry]) + "\n")
        return number


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry = None
    login = None

    def log_message(self, *_):
        pass

    def answer(self, status, content, headers=()):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", MEDIA_TYPE)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def error(self, status, code, message):
        self.answer(status, {"error_code": code, "message": message})

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_PUT(self):
        word = self.body().decode()
        if self.path != "/-/mode" or word not in MODES:
            return self.error(404, 404, "no such mode")
        with self.registry.changed:
            self.registry.mode = word
            self.registry.changed.notify_all()
        self.answer(200, b"")

    def is_denied(self):
        if self.login is None:
            return False
        wanted = "Basic " + base64.b64encode(self.login.encode()).decode()
        return self.headers.get("Authorization") != wanted

    def is_refused(self):
        """Answers as the mode says; True when nothing more is to be answered."""
        with self.registry.lock:
            mode = self.registry.mode
            self.registry.log.append(f"{self.command} {self.path}")
        if self.is_denied():
            self.error(401, 401, "Unauthorized")
        elif mode in ("500", "503") or mode == "numbers-500" and self.path.split("/")[-1].isdigit():
            self.error(int(mode[-3:]), 50001, "Error in the backend data store")
        elif mode == "429":
            self.error(429, 429, "Too many requests")
        elif mode in ("401", "403"):
            self.error(int(mode), int(mode), "User is denied operation")
        elif mode == "404":
            self.answer(404, b"<html>Not Found</html>")
        elif mode == "html":
            self.answer(200, b"<html>Welcome</html>")
        elif mode == "array":
            self.answer(200, b"[1]")
        elif mode == "cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"schema": "')
            self.close_connection = True
        elif mode == "hang":
            with self.registry.changed:
                self.registry.changed.wait_for(lambda: self.registry.mode != "hang", timeout=60)
            return self.is_refused()
        elif mode == "elsewhere":
            self.answer(302, b"", [("Location", "http://127.0.0.1:1" + self.path)])
        elif mode == "moved" and not self.path.startswith("/v2/"):
            self.answer(307, b"", [("Location", "/v2" + self.path)])
        elif mode == "loop":
            self.answer(302, b"", [("Location", self.path)])
        elif mode == "incompatible" and self.command == "POST":
            self.body()
            self.error(409, 409, "Schema being registered is incompatible with an earlier schema")
        else:
            return False
        return True

    def do_GET(self):
        if self.path == "/-/log":
            with self.registry.lock:
                lines, self.registry.log = self.registry.log, []
            return self.answer(200, "".join(line + "\n" for line in lines).encode())
        if self.is_refused():
            return
        parts = [unquote(part) for part in self.path.removeprefix("/v2").split("/")[1:]]
        with self.registry.lock:
            self.get(parts)

    def get(self, parts):
        registry = self.registry
        if parts[:2] == ["schemas", "ids"] and len(parts) == 3:
            entry = registry.schemas.get(int(parts[2])) if parts[2].isdigit() else None
            if entry is None:
                return self.error(404, 40403, f"Schema {parts[2]} not found")
            return self.answer(200, entry)
        if parts == ["subjects"]:
            return self.answer(200, sorted(registry.subjects))
        if parts[:1] == ["subjects"] and len(parts) >= 3 and parts[2] == "versions":
            versions = registry.subjects.get(parts[1])
            if versions is None:
                return self.error(404, 40401, f"Subject '{parts[1]}' not found.")
            if len(parts) == 3:
                return self.answer(200, list(range(1, len(versions) + 1)))
            word = str(len(versions)) if parts[3] == "latest" else parts[3]
            if not word.isdigit() or not 1 <= int(word) <= len(versions):
                return self.error(404, 40402, f"Version {parts[3]} not found.")
            number = versions[int(word) - 1]
            return self.answer(
                200, {"subject": parts[1], "version": int(word), "id": number, **registry.schemas[number]})
        self.error(404, 404, "HTTP 404 Not Found")

    def do_POST(self):
        if self.is_refused():
            return
        request = self.body()
        parts = [unquote(part) for part in self.path.removeprefix("/v2").split("/")[1:]]
        if len(parts) != 3 or parts[0] != "subjects" or parts[2] != "versions":
            return self.error(404, 404, "HTTP 404 Not Found")
        try:
            content = json.loads(request)
            if content.get("schemaType", "AVRO") == "AVRO":
                json.loads(content["schema"])
        except (ValueError, KeyError):
            return self.error(422, 42201, "Input schema is an invalid Avro schema")
        entry = {"schema": content["schema"]}
        if content.get("schemaType", "AVRO") != "AVRO":
            entry["schemaType"] = content["schemaType"]
        if content.get("references"):
            entry["references"] = content["references"]
        with self.registry.lock:
            number = self.registry.register(parts[1], entry)
        self.answer(200, {"id": number})


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that has gone is nothing to tell."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--login")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--store")
    options = parser.parse_args()
    Handler.registry = Registry()
    if options.store:
        Handler.registry.open(options.store)
    Handler.login = options.login
    server = Server(("127.0.0.1", options.port), Handler)
    plain = server
    if options.certificate:
        plain = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=plain.serve_forever, daemon=True).start()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.certificate, options.key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, plain.server_port, sep="\n", flush=True)
    server.serve_forever()


main()
