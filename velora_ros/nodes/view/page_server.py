"""
The web server of the page: viser's, restricted to this machine and to pages that it served itself.

viser would open the page to everyone if a browser asks it to ("share"), and would accept a connection from any web page
that is open in the same browser. Anyone who is connected can drive the robot, so neither is allowed here. viser's
private API is used only in this file.
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
    A ViserServer at one address.

    Args:
        host: the address, or a name that resolves to one.
        port: the TCP port.
        label: the title of the page's panel.

    Raises:
        ConfigError: the address is not this machine's, or the port is taken or not allowed.
    """

    def __init__(self, host: str, port: int, label: str) -> None:
        check_free(host, port)
        with contextlib.redirect_stdout(io.StringIO()):  # viser prints a box with links
            super().__init__(host=host, port=port, label=label, verbose=False)
        if self.get_port() != port:  # another program took it in between; viser then tries the next ports
            self.stop()
            raise taken(host, port)
        self._websock_server.on_client_connect(self._refuse_foreign_pages)
        self._websock_server.disconnect_all_clients()  # a browser that connected earlier connects again, and is checked

    @property
    def _event_loop(self) -> Any:
        """The server's event loop. viser sets it at the end of its constructor, but a browser may connect earlier."""
        return self._websock_server._background_event_loop

    @_event_loop.setter
    def _event_loop(self, loop: Any) -> None:
        pass

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f'http://{f"[{self.get_host()}]" if ":" in self.get_host() else self.get_host()}:{self.get_port()}'

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse to open the page to other machines."""
        return None

    def stop(self) -> None:
        """Stop serving within a second; viser's own method waits for browsers that do not respond."""
        atexit.unregister(self.stop)
        with contextlib.redirect_stdout(io.StringIO()):
            self._websock_server.stop()
        self._thread_executor.shutdown(wait=False)

    async def _refuse_foreign_pages(self, client: Any) -> None:
        """Close a connection that was opened by a web page of another origin, before anything is read from it."""
        connection = self._websock_server._live_connections[client.client_id]
        request = connection.request
        if request is None or not is_own_page(request.headers.get('Origin'), request.headers.get('Host', '')):
            await connection.close(_REFUSED, 'the page was served by another server')
