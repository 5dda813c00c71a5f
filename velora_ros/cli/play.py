"""``velora_ros play TASK``: film an episode of a task, with a policy or with the robot in its start pose."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from velora_ros.cli.arguments import whole_number
from velora_ros.cli.film import Film, film_path
from velora_ros.errors import SpecError
from velora_ros.gym.rendering import check_rendering
from velora_ros.policy import Policy
from velora_ros.spec import PolicySpec
from velora_ros.utils.output import write_line


def add_parser(commands: 'argparse._SubParsersAction[argparse.ArgumentParser]') -> None:
    """Add the command ``play`` to the parser."""
    parser = commands.add_parser('play', help='run and film an episode of a task', description=__doc__)
    parser.add_argument('task', metavar='TASK', help='quadruped, my_robot.py:WALK or my_package.my_robot:WALK')
    parser.add_argument('--policy', metavar='FILE', help='policy file (default: hold the start pose)')
    parser.add_argument('--film', metavar='FILE', help='path of the film, .mp4 or .gif (default: TASK.gif)')
    parser.add_argument('--window', action='store_true', help='show the episode in a window instead of filming it')
    parser.add_argument('--seconds', metavar='S', type=float, help="longest duration [s] (default: the task's episode)")
    parser.add_argument('--seed', metavar='S', type=whole_number(0), default=0, help='seed of the episode (default: 0)')
    parser.add_argument('--undisturbed', action='store_true', help='without noise and variation')
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """
    Run and film an episode, and print its result.

    Raises:
        VeloraError: there is no such task, the policy does not fit, or no picture can be made.
    """
    from velora_ros.tasks.find_task import find  # noqa: PLC0415 - MuJoCo takes a moment to load

    policy = Policy.load(arguments.policy) if arguments.policy else None
    film = None if arguments.window else film_path(arguments.film or f'{_stem(arguments.task)}.gif')
    if film is not None:
        check_rendering()
    task = find(arguments.task)
    if policy is not None:
        check_fits(policy.spec, task.policy_spec, arguments.task)
    env: Any = task.make(render_mode='human' if film is None else 'rgb_array', undisturbed=arguments.undisturbed)
    filmed = env = env if film is None else Film(env, film, task.period)
    try:
        observation, _ = env.reset(seed=arguments.seed)
        total, steps, ended = 0.0, 0, False
        infos: dict[str, Any] = {}
        limit = task.built.steps if arguments.seconds is None else max(1, round(arguments.seconds / task.period))
        while not ended and steps < limit:
            dt = infos.get('dt')  # of tasks whose periods vary
            action = np.zeros(env.action_space.shape) if policy is None else policy.step(observation, dt)
            observation, reward, terminated, truncated, infos = env.step(action)
            total, steps, ended = total + float(reward), steps + 1, terminated or truncated
        if film is not None:
            filmed.finish()
    finally:
        env.close()
    why = [name for name, failed in infos.get('failed', {}).items() if failed]
    end = f', ended by {" and ".join(why)}' if why else ''
    write_line(f'{steps * task.period:.2f} s{end}, return {total:.2f}' + (f'\nfilm: {film}' if film else ''))


def check_fits(policy: PolicySpec, task: PolicySpec, name: str) -> None:
    """
    Check that a policy reads and commands what a task offers, at its period.

    Raises:
        SpecError: the policy does not fit the task.
    """
    if policy.control_period != task.control_period:
        raise SpecError(
            f"the policy has a control period of {policy.control_period:g} s and the task '{name}' has "
            f'{task.control_period:g} s; use the task it was trained in.'
        )
    for what in ('observation_names', 'action_names'):
        own, offered = getattr(policy, what), getattr(task, what)
        if own != offered:
            missing = [one for one in own if one not in offered]
            problem = f'the task does not have {", ".join(missing)}' if missing else 'their order differs'
            raise SpecError(
                f"the policy's {what} do not fit the task '{name}': {problem}; the task has {', '.join(offered)}. "
                'Use the task that the policy was trained on.'
            )


def _stem(task: str) -> str:
    """Return a file name for the film of a task."""
    place, _, name = task.rpartition(':')
    return name or Path(place or task).stem
