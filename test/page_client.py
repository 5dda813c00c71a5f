"""A client of view_node's page that speaks viser's protocol as its browser page does, without a browser."""

import time

import msgspec.msgpack
import viser
import zstandard
from websockets.sync.client import connect

CAMERA = {
    'type': 'ViewerCameraMessage', 'wxyz': (1, 0, 0, 0), 'position': (3, 0, 1), 'fov': 1.0, 'near': 0.01, 'far': 1000.0,
    'image_height': 600, 'image_width': 800, 'look_at': (0, 0, 0), 'up_direction': (0, 0, 1),
}  # fmt: skip


class PageClient:
    """
    An open page.

    Args:
        port: the page's port.
        origin: the web page that opened the connection; None for a program that is no browser.
    """

    def __init__(self, port, origin=None):
        protocol = [f'viser-v{viser.__version__}']
        url = f'ws://127.0.0.1:{port}'
        self._socket = connect(url, subprotocols=protocol, origin=origin, max_size=None, compression=None)
        self.widgets, self.nodes, self.positions = {}, {}, {}
        self._send(CAMERA)  # viser counts a client as connected when it has told where its camera is

    def close(self):
        self._socket.close()

    def read(self, seconds=0.05):
        """Take what comes within a while."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            try:
                self._take(self._socket.recv(timeout=left))
            except TimeoutError:
                return

    def widget(self, label):
        """The uuid of a visible input; its properties are in `widgets`."""
        return next((uuid for uuid, props in self.widgets.items() if props.get('label') == label), None)

    def texts(self):
        """The contents of all HTML parts."""
        return ' '.join(str(props['content']) for props in self.widgets.values() if 'content' in props)

    def set(self, label, value):
        """Move a slider, press a button, type a place."""
        self._send({'type': 'GuiUpdateMessage', 'uuid': self.widget(label), 'updates': {'value': value}})

    def drag(self, name, position):
        """Move a gizmo."""
        message = {'type': 'TransformControlsUpdateMessage', 'name': name, 'wxyz': (1, 0, 0, 0), 'position': position}
        self._send({**message, 'owner': ''})

    def ask_to_share(self):
        """Press viser's button that shares a page over the internet."""
        self._send({'type': 'ShareUrlRequest'})

    def _send(self, message):
        self._socket.send(msgspec.msgpack.encode(message))

    def _take(self, data):
        length = int.from_bytes(data[8:16], 'little')
        for message in msgspec.msgpack.decode(zstandard.decompress(data[16 : 16 + length]))['messages']:
            kind = message['type']
            if kind == 'GuiUpdateMessage':
                self.widgets.setdefault(message['uuid'], {}).update(message['updates'])
            elif kind == 'GuiRemoveMessage':
                self.widgets.pop(message['uuid'], None)
            elif 'container_uuid' in message and 'props' in message:
                value = {'value': message['value']} if 'value' in message else {}
                self.widgets[message['uuid']] = {**message['props'], **value, 'type': kind}
            elif 'name' in message:
                self.nodes.setdefault(message['name'], []).append(kind)
                if kind == 'SetPositionMessage':
                    self.positions[message['name']] = message['position']
