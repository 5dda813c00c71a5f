"""The actions of a policy, bound to simulations and to the commands that a robot's driver takes."""
