import pytest

from velora_ros.cli.main import main

EVALUATIONS = 'steps,episode,seconds,mean,std,min,max,episodes\n500,9,1.5,{},1,2,9,10\n1000,19,3.5,9,1,2,9,10\n'
EPISODES = 'episode,steps,return,length,critic_loss,actor_loss,steps_per_s,seconds\n1,50,7.5,50,nan,nan,400.0,0.1\n'


@pytest.fixture
def runs(tmp_path):
    """A folder with three run folders of one environment, and one of a run that has just begun."""
    for seed in range(3):
        folder = tmp_path / 'runs' / f'Pendulum-v1-seed{seed}'
        folder.mkdir(parents=True)
        (folder / 'evaluations.csv').write_text(EVALUATIONS.format(seed))
        (folder / 'episodes.csv').write_text(EPISODES)
    (tmp_path / 'runs' / 'begun').mkdir()
    (tmp_path / 'runs' / 'begun' / 'episodes.csv').write_text(EPISODES.splitlines()[0] + '\n')
    (tmp_path / 'runs' / 'empty').mkdir()
    return tmp_path / 'runs'


@pytest.mark.parametrize('kind', ['png', 'svg'])
def test_run_folders_become_a_picture(runs, tmp_path, capsys, kind):
    out = tmp_path / f'curves.{kind}'
    assert main(['plot', *(str(runs / f'Pendulum-v1-seed{seed}') for seed in range(3)), '--out', str(out)]) == 0
    assert out.stat().st_size > 5000
    shown = capsys.readouterr().out
    assert 'Pendulum-v1: 3 runs, last evaluation return median 9.0' in shown
    assert f'picture: {out}' in shown


def test_a_folder_of_runs_stands_for_its_runs_and_can_have_a_label(runs, tmp_path, capsys):
    options = ['--x', 'time', '--statistic', 'median', '--solved', '8', '--title', 'two names']
    given = [str(runs), f'again={runs / "Pendulum-v1-seed1"}']
    assert main(['plot', *given, *options, '--out', str(tmp_path / 'a.png')]) == 0
    shown = capsys.readouterr().out
    assert 'Pendulum-v1: 3 runs' in shown and 'again: 1 run,' in shown and 'begun' not in shown


def test_seeds_without_steps_in_common_have_no_summary(runs, tmp_path, capsys):
    later = EVALUATIONS.replace('500,', '1500,').replace('1000,', '2000,')
    (runs / 'Pendulum-v1-seed2' / 'evaluations.csv').write_text(later.format(2))
    assert main(['plot', str(runs), '--out', str(tmp_path / 'a.png')]) == 0
    shown = capsys.readouterr().out
    assert 'Pendulum-v1: no interquartile mean of the evaluations, because the 3 runs have no steps in common' in shown
    assert 'of the episodes' not in shown


def test_a_table_of_the_benchmarks_is_read(tmp_path, capsys):
    assert main(['plot', 'benchmarks/results/inverted_pendulum.csv', '--out', str(tmp_path / 'a.png')]) == 0
    assert 'inverted_pendulum: 10 runs' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('arguments', 'named'),
    [
        (['{runs}/absent'], 'does not exist; give a run folder'),
        (['{runs}/begun'], 'has no episode and no evaluation yet'),
        (['{runs}/empty'], 'is not a run folder and contains none'),
        (['{runs}/Pendulum-v1-seed0/episodes.csv'], 'lacks mean among its columns'),
        (['{runs}', '--out', 'a.gif'], 'must end in .png or .svg'),
        (['{runs}', '--out', '{runs}/absent/a.png'], 'Create it first'),
    ],
)
def test_what_cannot_be_drawn_is_named(runs, capsys, monkeypatch, arguments, named):
    monkeypatch.chdir(runs)
    assert main(['plot', *(one.format(runs=runs) for one in arguments)]) == 2
    output = capsys.readouterr()
    assert named in output.err and output.err.count('\n') == 1
    assert list(runs.glob('*.png')) == []


HEADER = 'steps,episode,seconds,q_mean,twin_gap,actor_gradient,of_a_later_version\n'


def test_diagnostics_become_small_pictures(runs, tmp_path, capsys):
    for seed in range(3):
        table = HEADER + f'500,9,1.5,{seed},nan,0.001,1\n1000,19,2.5,nan,nan,1.0,2\n1500,2'  # still being written
        (runs / f'Pendulum-v1-seed{seed}' / 'diagnostics.csv').write_text(table)
    out = tmp_path / 'a.png'
    again = f'again={runs / "Pendulum-v1-seed1"}'
    assert main(['plot', str(runs), again, '--diagnostics', '--x', 'time', '--out', str(out)]) == 0
    assert out.stat().st_size > 5000
    assert '4 runs' in capsys.readouterr().out


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        (None, 'the version that wrote it had no diagnostics'),
        (HEADER, 'has no row with steps and seconds yet'),
        ('', 'has no row with steps and seconds yet'),
        (HEADER + '500,9,fast,1,1,1,1\n', 'is not a table of diagnostics'),
        (HEADER + '500,9\n', 'is not a table of diagnostics'),
    ],
)
def test_diagnostics_that_cannot_be_drawn_are_one_sentence(runs, tmp_path, capsys, text, named):
    folder = runs / 'Pendulum-v1-seed0'
    if text is not None:
        (folder / 'diagnostics.csv').write_text(text)
    assert main(['plot', str(folder), '--diagnostics', '--out', str(tmp_path / 'a.png')]) == 2
    error = capsys.readouterr().err
    assert named in error and 'Traceback' not in error


def test_the_error_for_a_diagnostics_file_names_its_folder(runs, tmp_path, capsys):
    file = runs / 'Pendulum-v1-seed0' / 'diagnostics.csv'
    file.write_text(HEADER)
    assert main(['plot', str(file), '--diagnostics', '--out', str(tmp_path / 'a.png')]) == 2
    assert f"'{file}' is a file; give the folder of the run" in capsys.readouterr().err
