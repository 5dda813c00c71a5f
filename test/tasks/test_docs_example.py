import re
from pathlib import Path

import numpy as np

from velora_ros.robots import model
from velora_ros.tasks.find_task import find

PAGE = Path(__file__).parents[2] / 'docs' / 'tasks.md'


def test_the_task_of_the_page_works_with_a_quadruped(tmp_path):
    code = re.findall(r'```python\n(.*?)```', PAGE.read_text(encoding='utf-8'), re.DOTALL)[0]
    assert len(code.splitlines()) < 45
    path = tmp_path / 'my_robot.py'
    path.write_text(code.replace("'my_robot.xml'", repr(str(model('quadruped')))))
    env = find(str(path)).make_vec(2, seed=0)
    env.reset()
    for _ in range(5):
        _, rewards, *_ = env.step(np.zeros((2, 12)))
    assert (rewards > 0).all()
