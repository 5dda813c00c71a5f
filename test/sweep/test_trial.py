"""One training run of a sweep, without Ray."""

import dataclasses

import gymnasium
import pytest

from velora_ros.policy import Policy
from velora_ros.sweep import trial as trial_module
from velora_ros.sweep.plan import Sweep
from velora_ros.sweep.results import FAILED, FINISHED, TrialResult
from velora_ros.sweep.trial import run_trial
from velora_ros.training import RunFolder

SHORT = {'start_steps': 64, 'boost_ratio': 1.0, 'eval_every': 100, 'eval_episodes': 1, 'n_neurons': 8}


class Breaks(gymnasium.Wrapper, gymnasium.utils.RecordConstructorArgs):
    """Fails after a number of steps, counted over all instances, as long as failures are left."""

    failures = 0

    def __init__(self, env, at):
        gymnasium.utils.RecordConstructorArgs.__init__(self, at=at)
        super().__init__(env)
        self.left = at

    def step(self, action):
        self.left -= 1
        if self.left < 0 and Breaks.failures:
            Breaks.failures -= 1
            raise ZeroDivisionError('the wheel came off')
        return super().step(action)


@pytest.fixture
def breaking(monkeypatch):
    """The name of an environment that fails once, at its 250th step."""
    gymnasium.register(
        'Breaks-v0',
        entry_point='gymnasium.envs.mujoco.inverted_pendulum_v5:InvertedPendulumEnv',
        max_episode_steps=1000,
        additional_wrappers=(gymnasium.envs.registration.WrapperSpec('Breaks', f'{__name__}:Breaks', {'at': 250}),),
    )
    yield 'Breaks-v0'
    del gymnasium.registry['Breaks-v0']


def one(**entries):
    return Sweep.parse({'env': 'InvertedPendulum-v5', 'steps': 300, 'fixed': SHORT, **entries}).trials()[0]


def test_a_trial_is_a_run_like_any_other_and_reports_all_but_its_last_evaluation(tmp_path):
    trial, reports = one(), []
    assert run_trial(trial, tmp_path, reports.append) == {'status': FINISHED, 'message': ''}
    assert [report['steps'] for report in reports] == [100, 200]
    with RunFolder.resume(tmp_path / trial.name) as run:
        assert run.started_with == dataclasses.replace(trial.config, env_kwargs={})
    result = TrialResult.read(tmp_path, trial, FINISHED)
    assert result.steps == 300 and result.best >= result.last


def test_two_trials_in_one_process_do_not_change_each_other(tmp_path):
    first, second = one(), one(seeds=[1])
    for folder, order in (('a', (first, second)), ('b', (second, first))):
        for trial in order:
            run_trial(trial, tmp_path / folder, lambda _: None)
    for trial in (first, second):
        digests = {Policy.load(tmp_path / folder / trial.name / 'policies/last.safetensors').digest for folder in 'ab'}
        assert len(digests) == 1


def test_a_trial_that_ended_just_before_a_sweep_was_killed_ends_the_same_way_again(tmp_path):
    trial = one()
    run_trial(trial, tmp_path, lambda _: None)
    policy = tmp_path / trial.name / 'policies/last.safetensors'
    before = Policy.load(policy).digest
    assert run_trial(trial, tmp_path, lambda _: None)['status'] == FINISHED
    assert Policy.load(policy).digest == before


def test_without_evaluations_there_is_nothing_to_compare(tmp_path, monkeypatch):
    monkeypatch.setattr('velora_ros.models.train.evaluation_environment', lambda _: None)
    outcome = run_trial(one(), tmp_path, lambda _: None)
    assert outcome['status'] == FAILED and 'for evaluation could not be made' in outcome['message']


def test_a_trial_that_was_stopped_in_the_middle_continues(tmp_path):
    trial = one()

    def stop(report):
        if report['steps'] == 200:
            raise SystemExit  # as Ray does

    with pytest.raises(SystemExit):
        run_trial(trial, tmp_path, stop)
    assert run_trial(trial, tmp_path, lambda _: None)['status'] == FINISHED
    assert TrialResult.read(tmp_path, trial, FINISHED).steps == 300


def test_a_failing_environment_gives_one_sentence_and_the_trial_can_be_repeated(tmp_path, breaking):
    Breaks.failures = 1
    trial = one(env=breaking)
    outcome = run_trial(trial, tmp_path, lambda _: None)
    assert outcome['status'] == FAILED
    assert 'the wheel came off' in outcome['message'] and '\n' not in outcome['message']
    assert TrialResult.read(tmp_path, trial, FAILED).steps == 200
    assert run_trial(trial, tmp_path, lambda _: None)['status'] == FINISHED


def test_an_unforeseen_error_leaves_its_traceback_in_the_folder_until_the_trial_succeeds(tmp_path, monkeypatch):
    trial = one()
    with monkeypatch.context() as broken:
        broken.setattr(trial_module, '_train', lambda *_: int('x'))
        outcome = run_trial(trial, tmp_path, lambda _: None)
    assert outcome['message'].startswith("ValueError: invalid literal for int() with base 10: 'x' (traceback in ")
    traceback = tmp_path / trial.name / 'error.txt'
    assert 'Traceback' in traceback.read_text()
    run_trial(trial, tmp_path, lambda _: None)
    assert not traceback.exists()


def test_a_locked_run_folder_is_waited_for_and_then_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trial_module, 'PATIENCE_S', 0.0)
    trial = one()
    with RunFolder.start(tmp_path / trial.name, trial.config):
        outcome = run_trial(trial, tmp_path, lambda _: None)
    assert outcome['status'] == FAILED and 'is in use by another training run' in outcome['message']
