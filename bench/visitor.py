"""A person's browser as the app's server sees it: a session over its websocket, without the drawing."""

from __future__ import annotations

import time
from types import TracebackType
from urllib.parse import urlencode

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

MAX_MESSAGE_BYTES = 2**28
PATIENCE_SECONDS = 60.0


class Visitor:
    """One session on one page."""

    def __init__(self, url: str, page: str, **address: str | int) -> None:
        """Go to `page` of the app at `url`; nothing runs before `run`."""
        self._page = page
        self._query = urlencode(address)
        self._connection: ClientConnection = connect(
            f"{url.replace('http', 'ws', 1)}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            max_size=MAX_MESSAGE_BYTES,
        )
        self.said = b""
        """What the last run sent, as bytes of the protocol; texts in it can be searched."""

    def __enter__(self) -> Visitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._connection.close()

    def run(self) -> float:
        """Run the page's script from its beginning to its end; the seconds until its last element has arrived.

        Raises:
            RuntimeError: The script failed, or asked for another page.
        """
        request = BackMsg()
        request.rerun_script.page_name = self._page
        request.rerun_script.query_string = self._query
        start = time.perf_counter()
        self._connection.send(request.SerializeToString())
        parts = []
        while True:
            data = self._connection.recv(PATIENCE_SECONDS)
            assert isinstance(data, bytes)
            message = ForwardMsg.FromString(data)
            parts.append(data)
            if message.delta.new_element.HasField("exception"):
                raise RuntimeError(f"The page {self._page!r} fails: {message.delta.new_element.exception.message}")
            if message.WhichOneof("type") != "script_finished":
                continue
            if message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                break
            if message.script_finished == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
                raise RuntimeError(f"The page {self._page!r} cannot be compiled.")
        seconds = time.perf_counter() - start
        self.said = b"".join(parts)
        return seconds
