import re
from pathlib import Path

from velora_ros.utils.dependencies import EXTRAS, how_to_install


def test_the_extras_are_those_of_setup_py() -> None:
    text = (Path(__file__).parents[2] / 'setup.py').read_text()
    for extra, names in EXTRAS.items():
        listed = re.search(rf"^        '{extra}': \[(.*?)\],$", text, re.DOTALL | re.MULTILINE)
        assert listed is not None
        assert set(names) == {word.partition('>=')[0] for word in re.findall(r"'(.*?)'", listed[1])}
    assert "pip install torch 'gymnasium[torch]' matplotlib" in how_to_install('train')
