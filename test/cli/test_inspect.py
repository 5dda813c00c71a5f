import contextlib
import dataclasses
import json

import numpy as np
import pytest

from velora_ros.cli.inspect import parameters
from velora_ros.cli.main import main
from velora_ros.gym import make, spec_from_env


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


def test_inspect_marks_a_period_that_was_assumed(make_policy_file, tmp_path, capsys):
    spec = dataclasses.replace(make_policy_file(4, 20, 2).spec, control_period_assumed=True)
    make_policy_file(4, 20, 2, spec=spec).save(tmp_path / 'p')
    assert main(['inspect', str(tmp_path / 'p')]) == 0
    assert '0.04 s (assumed, because the environment does not state it)' in capsys.readouterr().out
    assert main(['inspect', str(tmp_path / 'p'), '--json']) == 0
    assert json.loads(capsys.readouterr().out)['spec']['control_period_assumed'] is True


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


# --- pictures


@pytest.fixture
def pendulum_policy(make_policy_file, tmp_path):
    path = tmp_path / 'pendulum.safetensors'
    make_policy_file(4, 20, 1, spec=spec_from_env(make('InvertedPendulum-v5'))).save(path)
    return str(path)


@pytest.mark.parametrize('kind', ['png', 'svg'])
def test_wiring_and_hidden_state_are_drawn(pendulum_policy, tmp_path, capsys, kind):
    wiring, hidden = (tmp_path / f'{name}.{kind}' for name in ('wiring', 'hidden'))
    arguments = ['--wiring', str(wiring), '--hidden', str(hidden), '--steps', '20', '--seed', '3']
    assert main(['inspect', pendulum_policy, *arguments]) == 0
    assert wiring.stat().st_size > 5000 and hidden.stat().st_size > 5000
    assert capsys.readouterr().out.endswith(f'wiring: {wiring}\nhidden: {hidden}\n')


def test_pictures_do_not_change_the_json(pendulum_policy, tmp_path, capsys):
    assert main(['inspect', pendulum_policy, '--json', '--wiring', str(tmp_path / 'w.svg')]) == 0
    assert 'digest' in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['--wiring', 'w.gif'], 'must end in .png or .svg'),
        (['--hidden', '/absent/h.png'], "folder '/absent' does not exist"),
        (['--hidden', 'h.png', '--env', 'Pendulum-v1'], 'the policy reads slider/position'),
        (['--hidden', 'h.png', '--env', 'InvertedPendulm-v5'], "Did you mean 'InvertedPendulum-v5'"),
    ],
)
def test_a_picture_that_cannot_be_made_is_named_first(pendulum_policy, tmp_path, capsys, arguments, named):
    with contextlib.chdir(tmp_path):
        assert main(['inspect', pendulum_policy, *arguments]) in (1, 2)
    output = capsys.readouterr()
    assert named in output.err and output.err.count('\n') == 1
    assert output.out == ''
    assert not list(tmp_path.glob('*.png'))
