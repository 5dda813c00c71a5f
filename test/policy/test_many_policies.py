import numpy as np
import pytest

from velora_ros.errors import ObservationError
from velora_ros.policy import Policy
from velora_ros.policy.many_policies import ManyPolicies


@pytest.mark.parametrize('cell', ['cfc', 'gru', 'mlp'])
def test_many_policies_do_what_each_of_them_does(make_policy_file, cell):
    file = make_policy_file(5, 20, 2, cell=cell)
    many, single = ManyPolicies(file, 3), [Policy(file, 'numpy') for _ in range(3)]
    rng = np.random.default_rng(0)
    for step in range(12):
        if step == 6:
            many.reset(np.array([False, True, False]))
            single[1].reset()
        observations = rng.normal(size=(3, 5))
        actions = many.step(observations)
        for i, policy in enumerate(single):
            np.testing.assert_allclose(actions[i], policy.step(observations[i]), atol=1e-12)
            np.testing.assert_allclose(many.hidden[i], policy.hidden, atol=1e-12)


def test_observations_of_another_shape_or_that_are_not_finite_are_refused(make_policy_file):
    many = ManyPolicies(make_policy_file(5, 20, 2), 3)
    with pytest.raises(ObservationError, match=r'\(3, 4\); they must be \(3, 5\)'):
        many.step(np.zeros((3, 4)))
    with pytest.raises(ObservationError):
        many.step(np.full((3, 5), np.nan))
