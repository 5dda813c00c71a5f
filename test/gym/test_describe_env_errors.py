import warnings

import pytest

from velora_ros.gym.describe_env_errors import close, closing


class Closes:
    def __init__(self, error=None):
        self.error, self.closed = error, 0

    def close(self):
        self.closed += 1
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize('error', [RuntimeError('no physics server'), SystemExit(2), AttributeError('viewer')])
def test_an_environment_that_cannot_be_closed_is_a_warning(error):
    with pytest.warns(UserWarning, match=f'could not be closed .{type(error).__name__}: {error}'):
        close(Closes(error))


def test_an_error_inside_is_not_hidden_by_one_of_closing():
    with (
        pytest.warns(UserWarning, match='could not be closed'),
        pytest.raises(ValueError, match='the work'),
        closing(Closes(OSError('gone'))),
    ):
        raise ValueError('the work')


def test_an_environment_is_closed_once_and_quietly():
    env = Closes()
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        with closing(env) as given:
            assert given is env
    assert env.closed == 1


def test_ctrl_c_while_closing_passes_through():
    with pytest.raises(KeyboardInterrupt):
        close(Closes(KeyboardInterrupt()))
