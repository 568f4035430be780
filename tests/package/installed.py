"""
Use the installed package without the extras: `python tests/package/installed.py`.

Continuous integration runs it on the built wheel, in an environment that has neither the extras nor
the test tools.
"""

import importlib.util
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import cutmeshort
from cutmeshort import CMSClient

SUFFIXES = {".css", ".html", ".js", ".typed"}
received = []


class Service(BaseHTTPRequestHandler):
    """Accept any event."""

    def do_POST(self) -> None:
        """Record the event and respond."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        received.append((self.path, json.loads(body)))
        response = b'{"success": true, "message": "Done"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(response)))
        self.end_headers()
        self.wfile.write(response)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the output short."""


def main() -> None:
    """Track leads and sales, and check what is installed and what is not."""
    checkout = Path(__file__).resolve().parent.parent.parent
    assert checkout not in Path(cutmeshort.__file__).resolve().parents, "not the installed package"
    source = checkout / "src" / "cutmeshort"
    data = [path.relative_to(source) for path in source.rglob("*.*") if path.suffix in SUFFIXES]
    assert {path.suffix for path in data} == SUFFIXES
    for path in data:
        assert files("cutmeshort").joinpath(*path.parts).is_file(), path
    assert importlib.util.find_spec("cms_python") is not None
    assert importlib.util.find_spec("pytest_cutmeshort") is not None
    importlib.import_module("cutmeshort.testing")
    assert importlib.util.find_spec("fastapi") is None
    advice = ""
    try:
        importlib.import_module("cutmeshort.sandbox")
    except ModuleNotFoundError as error:
        advice = str(error)
    assert "cutmeshort[sandbox]" in advice
    assert cutmeshort.click_id.read({"cms_rf": "click_1"}) == "click_1"
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with CMSClient("token", f"http://127.0.0.1:{server.server_port}") as client:
            done = {"success": True, "message": "Done", "data": {}}
            assert client.track_lead("Sign up", "user_42", click_id="click_1") == done
            sale = client.track_sale("Buy", 42, 7, 1, "usd", timestamp="2026", customer_email="")
            assert [warning["field"] for warning in sale.pop("warnings")] == ["timestamp"]
            assert sale == done
            left_out = client.track_lead("Sign up", "user_42", "click_1", customer_email="x")
            assert left_out["warnings"][0]["field"] == "customer_email"
            for amount, currency in ((1.5, "usd"), (1, "us-dollars")):
                rejected = client.track_sale("Buy", "user_42", "inv", amount, currency)
                assert rejected["type"] == "validation_error"
        server.shutdown()
    assert [path for path, _ in received] == ["/track/lead", "/track/sale", "/track/lead"]
    assert received[1][1]["timestamp"] == "2026-01-01T00:00:00Z"
    versions = f"cutmeshort {cutmeshort.__version__} with pydantic {version('pydantic')}"
    print(f"{versions} works as installed")


if __name__ == "__main__":
    main()
