import re
from pathlib import Path

from velora_ros.utils.dependencies import EXTRAS, how_to_install


def test_what_is_to_be_installed_is_what_setup_py_names() -> None:
    text = (Path(__file__).parents[2] / 'setup.py').read_text()
    for extra, names in EXTRAS.items():
        listed = re.search(rf"^        '{extra}': \[(.*?)\],$", text, re.DOTALL | re.MULTILINE)
        assert listed is not None
        assert set(names) == {word.partition('>=')[0] for word in re.findall(r"'(.*?)'", listed[1])}
    assert "pip install torch 'gymnasium[torch]' matplotlib" in how_to_install('train')
