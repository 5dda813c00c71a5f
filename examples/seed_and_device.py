from velora_ros.models import LiquidDDPG
from velora_ros.utils import set_seed, set_device

set_seed(64)
device = set_device()

model = LiquidDDPG(4, 10, 1, device=device)
