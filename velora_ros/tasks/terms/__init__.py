"""
The parts of tasks: functions of many simulations, each kind in its own file.

==============  ===================================================================================
act.py          what a policy commands, for example joint targets
observe.py      what a policy reads, with its noise and its source on the robot
command.py      what a policy must do: commands that are drawn again within an episode
reward.py       what is rewarded
fail.py         what ends an episode as a failure
vary.py         what varies from episode to episode: friction, masses, gains, pushes, delays
metrics.py      what an evaluation measures besides the reward
term.py         what all of these are: a function with a name, a unit and its entries
==============  ===================================================================================
"""
