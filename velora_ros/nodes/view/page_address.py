"""Checks the address of the page: whether it can be opened, who can reach it, and which web pages may connect."""

import errno
import ipaddress
import socket
from urllib.parse import urlsplit

from velora_ros.errors import ConfigError

LOOPBACK_NAMES = ('localhost',)


def is_own_page(origin: str | None, host: str) -> bool:
    """
    Return whether a browser's connection comes from a page of this server.

    Args:
        origin: the header Origin: the server from which the web page was loaded; None if the request does not come from
            a browser.
        host: the header Host: the server's name or address in the browser. A name other than localhost and the name of
            this machine is refused, because a foreign web page may make it resolve to this machine (DNS rebinding); an
            address cannot be rebound.
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
    Check that a server can be opened at an address; viser itself would try the next thousand ports, or wait forever.

    Raises:
        ConfigError: no server can be opened; the message says why.
    """
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.create_server(address[4][:2], family=address[0]):
            pass
    except PermissionError as error:
        raise ConfigError(
            f"parameter 'port' is {port}, which only root may open; give a port from 1024 to 65535."
        ) from error
    except socket.gaierror as error:
        raise ConfigError(
            f"parameter 'host' is '{host}', which has no address; give 127.0.0.1, 0.0.0.0 or this machine's address."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise taken(host, port) from error
        raise ConfigError(
            f"parameter 'host' is '{host}', where no page can be served ({error.strerror or error}); give 127.0.0.1, "
            '0.0.0.0 or an address of this machine.'
        ) from error


def taken(host: str, port: int) -> ConfigError:
    """Return the error for a port that another program uses."""
    return ConfigError(
        f"parameter 'port' is {port}, but another program, perhaps another view_node, uses this port of '{host}'; "
        'give another port.'
    )
