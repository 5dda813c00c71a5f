"""
The quadruped's task without joint velocities and the last action: the policy has to remember what it did and saw.

    velora_ros train --task benchmarks/task_variants/quadruped_without_velocities.py:QUADRUPED --cell gru --seed 100

The critic still sees both, as it sees everything else about the simulation.
"""

import dataclasses

from velora_ros.tasks import observe, quadruped

HIDDEN = {'joint_velocities', 'last_action'}
QUADRUPED = dataclasses.replace(
    quadruped.QUADRUPED,
    observe=[term for term in quadruped.QUADRUPED.observe if term.name not in HIDDEN],
    critic=[*quadruped.QUADRUPED.critic, observe.joint_velocities(), observe.last_action()],
)
