"""
The web server of the page: viser's, kept to this machine and to pages that it served itself.

viser would open the page to everybody where a browser asks it to ("share"), and would accept a connection from any web
page that is open in the same browser. Whoever is connected can drive the robot, so neither is allowed here. This is the
only file that uses viser's private API.
"""

import contextlib
import errno
import io
import ipaddress
import socket
from typing import Any
from urllib.parse import urlsplit

import viser

from velora_ros.errors import ConfigError

LOOPBACK_NAMES = ('localhost',)
_REFUSED = 1008  # "policy violation", RFC 6455


class PageServer(viser.ViserServer):
    """
    A ViserServer at one address.

    Args:
        host: the address, or a name that has one.
        port: the TCP port.
        label: the title of the page's panel.

    Raises:
        ConfigError: the address is not this machine's, or the port is taken or not allowed.
    """

    def __init__(self, host: str, port: int, label: str) -> None:
        check_free(host, port)
        with contextlib.redirect_stdout(io.StringIO()):  # viser prints a box with links
            super().__init__(host=host, port=port, label=label, verbose=False)
        if self.get_port() != port:  # somebody took it in between; viser then tries the next ones
            self.stop()
            raise _taken(host, port)
        self._websock_server.on_client_connect(self._refuse_foreign_pages)

    @property
    def url(self) -> str:
        """Where a browser finds the page."""
        return f'http://{f"[{self.get_host()}]" if ":" in self.get_host() else self.get_host()}:{self.get_port()}'

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse to open the page to other machines."""
        return None

    def stop(self) -> None:
        """Stop serving."""
        with contextlib.redirect_stdout(io.StringIO()):
            super().stop()

    async def _refuse_foreign_pages(self, client: Any) -> None:
        """Close a connection that was opened by a web page of another origin, before anything is read from it."""
        connection = self._websock_server._live_connections[client.client_id]
        request = connection.request
        if request is None or not is_own_page(request.headers.get('Origin'), request.headers.get('Host', '')):
            await connection.close(_REFUSED, 'the page was served by somebody else')


def is_own_page(origin: str | None, host: str) -> bool:
    """
    Return whether a browser's connection comes from a page of this server.

    Args:
        origin: the request's Origin, where the page came from; None if it has none: then it is no browser's.
        host: the request's Host, whom the browser believes to talk to. A name other than localhost is refused when it
            resolves to this machine for a foreign page (DNS rebinding); an address cannot be rebound.
    """
    return origin is None or (urlsplit(origin).netloc == host and _cannot_be_rebound(host))


def _cannot_be_rebound(host: str) -> bool:
    name = urlsplit(f'//{host}').hostname or ''
    if name in (*LOOPBACK_NAMES, socket.gethostname().lower()):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_local(host: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    try:
        return host in LOOPBACK_NAMES or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_free(host: str, port: int) -> None:
    """
    Check that a server can be opened; viser would try the next thousand ports, or wait for ever.

    Raises:
        ConfigError: it cannot; the message says why.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(address[4][:2], family=address[0]):
            pass
    except PermissionError as error:
        raise ConfigError(
            f"parameter 'port' is {port}, which only root may open; give one of 1024 to 65535."
        ) from error
    except socket.gaierror as error:
        raise ConfigError(f"parameter 'host' is '{host}', which has no address; give 127.0.0.1 or 0.0.0.0.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise _taken(host, port) from error
        raise ConfigError(
            f"parameter 'host' is '{host}', at which no page can be served ({error.strerror or error}); give "
            '127.0.0.1, 0.0.0.0 or an address of this machine.'
        ) from error


def _taken(host: str, port: int) -> ConfigError:
    return ConfigError(
        f"the port {port} of '{host}' is taken by another program, perhaps another page; give view_node another one, "
        'with the parameter port.'
    )
