"""The status of training, over all its processes."""

from velora_ros.nodes.trainer.training_status import TrainingStatus


def test_the_best_announced_return_survives_the_death_of_a_process():
    status = TrainingStatus()
    for mean, policy in ((50.0, {'policy': 'a'}), (100.0, {'policy': 'b'}), (99.95, {'policy': 'b'}), (400.0, {})):
        status.update('evaluation', {'steps': 1, 'mean': mean, 'best': True, **policy})
    status.process_started()
    assert status.announced == 100.0
