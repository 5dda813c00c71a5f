import json

import numpy as np

from velora_ros.cli.inspect import parameters
from velora_ros.cli.main import main


def test_inspect_shows_names_bounds_sizes_and_identity(make_policy_file, tmp_path, capsys):
    file = make_policy_file(4, 20, 2)
    file.save(tmp_path / 'p')
    assert main(['inspect', str(tmp_path / 'p')]) == 0
    shown = capsys.readouterr().out
    for part in (
        file.digest,
        'InvertedPendulum-v5',
        'obs_3',
        'action_1',
        '20: 12 inter, 8 command',
        '0.04 s',
        'seed: 0',
    ):
        assert part in shown
    assert f'{np.count_nonzero(file.tensors["wiring.command"])} of 160 synapses' in shown


def test_inspect_gives_the_same_as_json(make_policy_file, tmp_path, capsys):
    file = make_policy_file(4, 20, 2)
    file.save(tmp_path / 'p')
    assert main(['inspect', str(tmp_path / 'p'), '--json']) == 0
    report = json.loads(capsys.readouterr().out)
    assert report['digest'] == file.digest
    assert report['spec'] == file.spec.to_dict()
    assert report['wiring'] == file.wiring
    assert report['dt_range'] == [0.004, 0.08]
    assert report['provenance'] == file.provenance
    assert report['synapses']['command'] == {'present': int(file.tensors['wiring.command'].sum()), 'possible': 160}


def test_parameters_are_the_weights_that_can_differ_from_zero(make_policy_file):
    file = make_policy_file(4, 20, 2)
    weights = [t for name, t in file.tensors.items() if name.endswith(('.weight', '.bias')) and 'norm' not in name]
    assert parameters(file) == sum(np.count_nonzero(tensor) for tensor in weights)
