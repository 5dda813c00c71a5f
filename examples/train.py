from velora_ros.models import LiquidDDPG
from velora_ros.utils import set_seed, set_device

import gymnasium as gym

set_seed(64)
device = set_device()

BATCH_SIZE = 128
env = gym.make("InvertedPendulum-v5")

model = LiquidDDPG(4, 10, 1, device=device)
model.train(env, BATCH_SIZE)
