"""Writing tensors piece by piece: the safetensors library reads the same numbers."""

import pytest
import torch
from safetensors import safe_open

from velora_ros.training import tensor_file
from velora_ros.training.tensor_file import pieces, write_pieces

TENSORS = {
    **{f'of {kind}': torch.arange(7).to(kind) for kind in tensor_file._KINDS},
    'empty': torch.zeros((0, 3)),
    'number': torch.tensor(5, dtype=torch.int64),
    'doubles': torch.linspace(0, 1, 11, dtype=torch.float64),
    'rows': torch.arange(300, dtype=torch.float32).reshape(20, 15),
    'every second': torch.arange(60, dtype=torch.float32).reshape(4, 15)[:, ::2],
    'learnt': torch.ones(3, requires_grad=True),
}


@pytest.mark.parametrize('piece', [16, 2**20])
def test_the_library_reads_what_was_written(tmp_path, monkeypatch, piece):
    monkeypatch.setattr(tensor_file, 'PIECE', piece)
    with open(tmp_path / 'some.safetensors', 'wb') as file:
        write_pieces(file, TENSORS, {'why': 'a "test"'})
    with safe_open(tmp_path / 'some.safetensors', framework='pt') as found:
        assert found.metadata() == {'why': 'a "test"'}
        assert set(found.keys()) == set(TENSORS)
        for name, tensor in TENSORS.items():
            assert found.get_tensor(name).dtype == tensor.dtype
            assert torch.equal(found.get_tensor(name), tensor)


def test_every_tensor_begins_at_a_multiple_of_its_items_size(tmp_path):
    path = tmp_path / 'some.safetensors'
    with path.open('wb') as file:
        write_pieces(file, TENSORS, {})
    data = path.read_bytes()
    size = int.from_bytes(data[:8], 'little')
    for name in ('doubles', 'number', 'rows'):
        tensor = TENSORS[name]
        at = data.index(b''.join(pieces(tensor)), 8 + size)
        assert at % tensor.element_size() == 0


def test_tensors_that_share_memory_are_written_each(tmp_path):
    rows = torch.arange(12.0).reshape(3, 4)
    with open(tmp_path / 'some.safetensors', 'wb') as file:
        write_pieces(file, {'all': rows, 'first': rows[0]}, {})
    with safe_open(tmp_path / 'some.safetensors', framework='pt') as found:
        assert torch.equal(found.get_tensor('first'), rows[0])
        assert torch.equal(found.get_tensor('all'), rows)
