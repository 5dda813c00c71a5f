import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb

from velora_ros.pictures.draw_wiring import draw_wiring
from velora_ros.pictures.style import NEGATIVE, POSITIVE


def layers(figure):
    """Line collections of the four layers, in the order in which they are drawn."""
    return [one for one in figure.axes[0].collections if isinstance(one, LineCollection)]


def weights_of(file):
    command = file.tensors['command.weight'].reshape(4, file.hidden_size, -1)[:2].mean(axis=0)
    n_inter = len(file.tensors['inter.weight'])
    return [file.tensors['inter.weight'], command[:, :n_inter], command[:, n_inter:], file.tensors['motor.weight']]


@pytest.mark.parametrize('sizes', [(4, 20, 1), (17, 64, 6), (1, 2, 1)])
def test_there_is_one_line_for_each_synapse_in_the_colour_of_its_sign(make_policy_file, sizes):
    file = make_policy_file(*sizes)
    for lines, weights in zip(layers(draw_wiring(file)), weights_of(file), strict=True):
        present = weights[np.nonzero(weights)]
        assert len(lines.get_segments()) == len(present)
        colours = [tuple(colour[:3]) for colour in lines.get_colors()]
        assert colours.count(to_rgb(POSITIVE)) == (present > 0).sum()
        assert colours.count(to_rgb(NEGATIVE)) == (present < 0).sum()


def test_the_stronger_a_synapse_the_wider_and_deeper_its_line(make_policy_file):
    for lines, weights in zip(
        layers(draw_wiring(make_policy_file(4, 20, 2))), weights_of(make_policy_file(4, 20, 2)), strict=True
    ):
        widths, depths = lines.get_linewidths(), [colour[3] for colour in lines.get_colors()]
        strength = np.sort(np.abs(weights[np.nonzero(weights)]))
        assert list(widths) == sorted(widths) and depths == sorted(depths)  # the strongest are drawn last
        np.testing.assert_allclose(np.diff(widths), np.diff(strength) / strength[-1] * (widths[-1] - 0.25), atol=1e-5)


def test_lines_lead_from_neuron_to_neuron(make_policy_file):
    inter, forward, recurrent, motor = layers(draw_wiring(make_policy_file(3, 10, 2)))
    for lines, start, end in ((inter, 0, 1), (forward, 1, 2), (recurrent, 2, 2), (motor, 2, 3.15)):
        ends = np.array([(segment[0][0], segment[-1][0]) for segment in lines.get_segments()])
        np.testing.assert_allclose(ends, np.broadcast_to([start, end], ends.shape), atol=1e-9)


def test_observations_actions_and_command_neurons_are_named(make_policy_file):
    file = make_policy_file(4, 20, 2)
    texts = {text.get_text() for text in draw_wiring(file).axes[0].texts}
    assert {*file.spec.observation_names, *file.spec.action_names, *map(str, range(8))} <= texts
    assert {'4 observations', '12 inter', '2 actions'} <= texts
