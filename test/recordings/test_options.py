"""The arguments that a command passes on to the process that it becomes."""

import argparse

import pytest

from velora_ros.doctor import options as doctor
from velora_ros.recordings import replay_options as replay
from velora_ros.recordings.options import RecordOptions, add_arguments


def parsed(add, words):
    parser = argparse.ArgumentParser()
    add(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    'words',
    [
        [],
        ['a.mcap', '--topics', '/a', 'b', '--all', '--no-hidden', '--seconds', '2.5', '--namespace', 'robot'],
    ],
)
def test_record(words):
    options = RecordOptions.of(parsed(add_arguments, words))
    assert RecordOptions.of(parsed(add_arguments, options.words)) == options


@pytest.mark.parametrize('seconds', ['0', '-1', 'nan', 'inf', 'long'])
def test_record_refuses_a_time_that_is_none(seconds, capsys):
    with pytest.raises(SystemExit):
        parsed(add_arguments, ['--seconds', seconds])
    assert 'is not a positive number of seconds' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('module', 'words'),
    [
        (replay, ['a.mcap']),
        (replay, ['a', '--policy', 'p', '--params', 'y', '--namespace', 'n', '--command-topic', 'c', '--rows', '0']),
        (replay, ['a', '--policy', 'p', '--picture', 'a.png', '--out', 'b.mcap']),
        (doctor, []),
        (doctor, ['p', '--recording', 'a', '--params', 'y', '--namespace', 'n', '--command-topic', 'c', '--json']),
        (doctor, ['p', '--seconds', '2', '--anywhere', '--patience', '3', '--move', 'a', 'b']),
        (doctor, ['p', '--move']),
        (doctor, ['p', '--add-trace', 'q']),
    ],
)
def test_replay_and_doctor(module, words):
    given = parsed(module.add_arguments, words)
    assert vars(parsed(module.add_arguments, module.words_of(given))) == vars(given)
