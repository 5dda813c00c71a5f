from velora_ros.models import LiquidDDPG

model = LiquidDDPG(4, 10, 1)
