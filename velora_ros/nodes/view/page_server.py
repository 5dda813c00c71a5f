"""
The web server of the page: viser's server, which accepts connections only from web pages that it served itself.

viser itself makes the page public if a browser requests it ("share"), and accepts a connection from any web page that
is open in the same browser. Every connection can drive the robot, so this class allows neither. viser's private API is
used only in this file.
"""

import atexit
import contextlib
import io
from typing import Any

import viser

from velora_ros.nodes.view.page_address import check_free, is_own_page, taken

_REFUSED = 1008  # "policy violation", RFC 6455


class PageServer(viser.ViserServer):
    """
    A ViserServer at exactly one address.

    Args:
        host: the address, or a name that resolves to one.
        port: the TCP port.
        label: the title of the page's panel.

    Raises:
        ConfigError: the address is not an address of this machine, or the port is taken or not allowed.
    """

    def __init__(self, host: str, port: int, label: str) -> None:
        check_free(host, port)
        with contextlib.redirect_stdout(io.StringIO()):  # viser prints a box with links
            super().__init__(host=host, port=port, label=label, verbose=False)
        if self.get_port() != port:  # another program has just taken the port, so viser used another one
            self.stop()
            raise taken(host, port)
        self._websock_server.on_client_connect(self._refuse_foreign_pages)
        self._websock_server.disconnect_all_clients()  # an earlier browser connects again, and is then checked

    @property
    def _event_loop(self) -> Any:
        """The server's event loop. viser sets it at the end of its constructor, but a browser may connect earlier."""
        return self._websock_server._background_event_loop

    @_event_loop.setter
    def _event_loop(self, loop: Any) -> None:
        pass

    @property
    def url(self) -> str:
        """The URL of the page."""
        return f'http://{f"[{self.get_host()}]" if ":" in self.get_host() else self.get_host()}:{self.get_port()}'

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Return None: viser's public URL, which would open the page to everyone, is not requested."""
        return None

    def stop(self) -> None:
        """Stop serving within a second; viser's own method would wait for browsers that do not respond."""
        atexit.unregister(self.stop)
        with contextlib.redirect_stdout(io.StringIO()):
            self._websock_server.stop()
        self._thread_executor.shutdown(wait=False)

    async def _refuse_foreign_pages(self, client: Any) -> None:
        """Close a connection from a web page of another server before anything is read from it."""
        connection = self._websock_server._live_connections[client.client_id]
        request = connection.request
        if request is None or not is_own_page(request.headers.get('Origin'), request.headers.get('Host', '')):
            await connection.close(_REFUSED, 'the web page was served by another server')
