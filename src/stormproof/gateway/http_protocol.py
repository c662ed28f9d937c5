"""What is not even HTTP still gets the one wire form."""

import json
import secrets

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from stormproof.errors import InvalidRequest, http_headers, to_wire


class HttpProtocol(HttpToolsProtocol):
    """uvicorn's fast HTTP/1.1, with our answer to bytes that do not parse."""

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - the parser's words
        """Answer and hang up: where the next request would begin is unknown."""
        error = InvalidRequest(
            reason="this is not HTTP/1.1, or uses a method that is not known",
            request_id=f"req_{secrets.token_hex(12)}",
        )
        body = json.dumps(to_wire(error)).encode()
        headers = {
            **http_headers(error),
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
        }
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + body)
        self.transport.close()
