"""The command line that starts a run without launch: what it refuses, and its help."""

import pytest

from velora_ros.errors import ConfigError
from velora_ros.nodes.bringup.command_line import main, parse
from velora_ros.nodes.bringup.launch_arguments import ARGUMENTS


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['contrl'], "Did you mean 'control'"),
        (['control', 'polcy:=x'], "there is no argument 'polcy'. Did you mean 'policy'?"),
        (['control', 'duration'], 'name:=value'),
        (['control', 'duration:=soon'], "'duration' is 'soon'"),
        (['control', 'duration:=-1'], "'duration' is '-1'"),
        (['control', 'duration:=nan'], "'duration' is 'nan'"),
        (['control', 'seed:=1.5'], "'seed' is '1.5'"),
        (['control', 'sim:=maybe'], "'sim' is 'maybe'; it must be true or false"),
        (['control', 'sim:=false'], "'policy' is empty, but a real robot"),
        (['control', 'train:=true', 'sim:=no'], "'policy' is empty, but a real robot"),
        (['control', 'policy:=/nope.safetensors'], "the policy is '/nope.safetensors': there is no such file"),
        (['control', 'policy:=InvertedPendulum-v4'], "Did you mean 'InvertedPendulum-v5'?"),
        (['control', 'params:=a.yaml', 'params_file:=b.yaml'], "'params' and 'params_file' mean the same"),
        (['control', 'log_level:=loud'], "'log_level' is 'loud'; it must be debug, info"),
        (['control', 'command_topic:=my topic'], "'command_topic' is 'my topic'; it must be a topic's name"),
        (['control', 'robots:=2', 'command_topic:=/cmd'], 'one topic for 2 robots'),
        (['train', 'autostart:=later'], "'autostart' is 'later'; it must be true or false"),
        (['control', 'namespace:=a-b'], "'namespace' is 'a-b'"),
        (['control', 'params:=nowhere.yaml'], "the parameter file 'nowhere.yaml'"),
        (['control', 'env:=Nothing-v0'], "no policy is shipped for the environment 'Nothing-v0'"),
        (['control', 'sim:=false', 'duration:=5'], "'duration' is 5"),
        (['control', 'robots:=0'], "'robots' is 0; it must be at least 1"),
        (['control', 'robots:=two'], "'robots' is 'two'"),
        (['control', 'robots:=2', 'train:=true'], 'and 1 with train:=true'),
        (['control', 'steps:=500'], "'steps' is '500', but nothing is trained; add train:=true"),
        (['control', 'train:=2'], "'train' is '2'; it must be true or false"),
        (['train', 'steps:=many'], "'steps' is 'many'"),
        ([], 'Valid: control, train'),
    ],
)
def test_invalid_arguments_are_refused_with_what_would_be_valid(words, message, capfd):
    assert main(words) == 2
    captured = capfd.readouterr()
    assert message in captured.err
    assert captured.out == ''


def test_help_lists_every_argument(capsys):
    assert main(['--help']) == 0
    text = capsys.readouterr().out
    for table in ARGUMENTS.values():
        for argument in table:
            assert f'{argument.name}:=' in text
            assert argument.description in text


def test_words_after_the_run_are_arguments():
    assert parse(['control', 'policy:=a:=b', 'env:=']) == ('control', {'policy': 'a:=b', 'env': ''})
    with pytest.raises(ConfigError):
        parse(['control', 'policy=a'])
