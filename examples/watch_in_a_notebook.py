import gymnasium as gym
import matplotlib.pyplot as plt

from IPython.display import clear_output

from velora_ros.models import LiquidDDPG
from velora_ros.gym import add_core_env_wrappers
from velora_ros.utils import set_seed, set_device

set_seed(64)
device = set_device()

env = gym.make("InvertedPendulum-v5", render_mode='rgb_array')
env = add_core_env_wrappers(env, device=device)

model = LiquidDDPG(4, 10, 1, device=device)
model.train(env, 128, n_episodes=100)

state, _ = env.reset()

episode_over = False
hidden = None

for _ in range(1000):
    action, hidden = model.predict(state, hidden)
    state, reward, terminated, truncated, _ = env.step(action)

    episode_over = terminated or truncated

    if episode_over:
        break

    clear_output(wait=True)
    plt.imshow(env.render())
    plt.show()

env.close()
