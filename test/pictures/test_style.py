import sys

import pytest
from PIL import Image

from velora_ros.errors import ConfigError, MissingDependencyError, StorageError
from velora_ros.pictures.style import colours_of, new_figure, picture_path, readable_on, save, title


def drawn():
    figure = new_figure(2, 1)
    figure.add_subplot().plot([1, 2])
    return figure


@pytest.mark.parametrize('kind', ['png', 'svg'])
def test_the_same_drawing_gives_the_same_file(tmp_path, kind):
    for name in 'ab':
        save(drawn(), tmp_path / f'{name}.{kind}')
    data = (tmp_path / f'a.{kind}').read_bytes()
    assert data == (tmp_path / f'b.{kind}').read_bytes()
    assert data.startswith(b'\x89PNG' if kind == 'png' else b'<?xml')


def test_sizes_are_in_inches(tmp_path):
    save(drawn(), tmp_path / 'a.png')
    with Image.open(tmp_path / 'a.png') as image:
        assert image.size == (300, 150)


def test_a_name_is_checked_before_anything_is_drawn(tmp_path):
    assert picture_path(f'{tmp_path}/a.PNG', '--out').suffix == '.PNG'
    with pytest.raises(ConfigError, match=r"--out is 'a.jpg'; the name must end in .png or .svg"):
        picture_path('a.jpg', '--out')
    with pytest.raises(ConfigError, match="folder '/absent' does not exist"):
        picture_path('/absent/a.png', '--out')


def test_an_older_picture_survives_a_failure(tmp_path):
    with pytest.raises(StorageError, match='Nothing was changed'):
        save(drawn(), tmp_path / 'absent' / 'a.png')


@pytest.mark.parametrize('words', [r'$\frac{x}$', '10 $ or 20 $'])
def test_titles_and_labels_are_plain_text(tmp_path, words):
    figure = drawn()
    axes = figure.axes[0]
    figure.suptitle(words)
    title(axes, words, words)
    axes.set_xlabel(words)
    axes.set_yticks([1, 2], [words, words])
    axes.plot([1, 2], label=words)
    axes.legend()
    save(figure, tmp_path / 'a.svg')


def test_colours_differ_and_can_be_written_on():
    for count in (1, 7, 8, 64):
        colours = colours_of(count)
        assert len({str(colour) for colour in colours}) == count
        assert {readable_on(colour) for colour in colours} <= {'black', 'white'}


def test_without_matplotlib_the_error_says_how_to_install_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith(('velora_ros.pictures', 'matplotlib'))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, 'matplotlib', None)
    with pytest.raises(MissingDependencyError, match=r'a picture needs matplotlib.*pip install .*matplotlib'):
        import velora_ros.pictures.style  # noqa: F401
