"""Makes the gymnasium environment that the parameters of sim_node describe."""

from typing import Any

from velora_ros.errors import ConfigError
from velora_ros.gym import make
from velora_ros.gym.mjcf_and_urdf import is_robot_file
from velora_ros.nodes.ros.parameters import Values


def make_environment(values: Values) -> Any:
    """
    Return the environment ``env``; the caller closes it.

    Raises:
        ConfigError: a control period is given for an environment that has its own.
        UnsupportedEnvironmentError: there is no such environment, or it cannot be made.
    """
    options: dict[str, Any] = {} if values['time_limit'] else {'max_episode_steps': -1}
    if values['control_period_s']:
        if not is_robot_file(values['env']):
            raise ConfigError(
                f"parameter 'control_period_s' is {values['control_period_s']:g} s, but '{values['env']}' is not an "
                'MJCF file and has a control period of its own; omit the parameter.'
            )
        options['control_period'] = values['control_period_s']
    return make(values['env'], **options)
