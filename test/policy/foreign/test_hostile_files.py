"""Untrusted files: whatever is in them, an ONNX policy is refused in one sentence, or runs as any other."""

import math
import os
import time

import numpy as np
import onnx
import pytest
import yaml
from foreign_policies import description, mjlab_policy
from hostile_files import mutated, outcome
from onnx import TensorProto, helper, numpy_helper

from velora_ros.errors import PolicyFileError
from velora_ros.policy.foreign.description import parse_description
from velora_ros.policy.foreign.foreign_policy_file import OnnxFile

CASES = 1000


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp('hostile')
    path, _ = mjlab_policy(folder, cell='lstm')
    return path


def save(model, path):
    """Write a model that onnx itself would refuse to write."""
    path.write_bytes(model.SerializeToString() if not isinstance(model, bytes) else model)
    path.with_suffix('.yaml').write_text(yaml.safe_dump(description()))
    return path


def test_a_thousand_damaged_models_are_refused_in_one_sentence_or_run(made, tmp_path):
    rng, whole = np.random.default_rng(1), made.read_bytes()
    found = [outcome(save(mutated(whole, rng), tmp_path / 'walk.onnx')) for _ in range(CASES)]
    refused = sum(map(bool, found))
    assert CASES // 3 < refused < CASES  # neither everything nor nothing


def test_a_thousand_strange_models_are_refused_in_one_sentence_or_run(made, tmp_path):
    rng = np.random.default_rng(2)
    for _ in range(CASES):
        model = onnx.load(str(made))
        for _ in range(rng.integers(1, 4)):
            CHANGES[rng.integers(len(CHANGES))](model, rng)
        outcome(save(model, tmp_path / 'walk.onnx'))


def _any(items, rng):
    return items[int(rng.integers(len(items)))]


def _shape_of_an_input(model, rng):
    size = _any(_any([*model.graph.input, *model.graph.output], rng).type.tensor_type.shape.dim or [None], rng)
    if size is not None:
        size.dim_value = int(rng.choice([-1, 0, 2, 10**6, 2**62]))


def _shape_of_a_weight(model, rng):
    dims = _any(model.graph.initializer, rng).dims
    if dims:
        dims[0] = int(rng.choice([-1, 0, 1, 10**9, 2**62]))


def _operator(model, rng):
    node = _any(model.graph.node, rng)
    node.op_type = str(
        rng.choice(['Exp', 'Reshape', 'Softmax', 'Shape', 'Loop', 'Nothing', 'MatMul', 'Expand', 'LSTM'])
    )


def _domain(model, rng):
    _any(model.graph.node, rng).domain = str(rng.choice(['com.microsoft', 'my.ops', 'ai.onnx', '../..']))


def _opset(model, rng):
    model.opset_import[0].version = int(rng.choice([-5, 0, 1, 6, 12, 25, 999, 2**62]))


def _edge(model, rng):
    node = _any(model.graph.node, rng)
    if node.input:
        node.input[0] = str(rng.choice(['', 'obs', 'nowhere', *node.output]))


def _type(model, rng):
    _any([*model.graph.input, *model.graph.output], rng).type.tensor_type.elem_type = int(rng.integers(-1, 30))


def _attribute(model, rng):
    node = _any(model.graph.node, rng)
    for attribute in node.attribute:
        attribute.i, attribute.f = int(rng.choice([-1, 0, 2**40])), float(rng.choice([math.nan, math.inf, -1e30]))


def _external(model, rng):
    tensor = _any(model.graph.initializer, rng)
    tensor.data_location = TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = 'location', str(rng.choice(['/etc/passwd', '../secret', 'walk.yaml']))


def _metadata(model, rng):
    entry = _any(model.metadata_props, rng)
    entry.value = str(rng.choice(['', 'nan', ',' * 50, '1;2;3', 'x' * 100_000, '{"a": [', '1e999,2']))


CHANGES = [_shape_of_an_input, _shape_of_a_weight, _operator, _domain, _opset, _edge, _type, _attribute, _external,
           _metadata]  # fmt: skip


def test_a_thousand_strange_descriptions_are_refused_in_one_sentence_or_run(made, tmp_path):
    rng, whole = np.random.default_rng(3), yaml.safe_dump(description()).encode()
    values = [None, -1, 0, 1e308, math.nan, math.inf, [], {}, [[]], 'x', True, ['a', None], {'a': 1}, 10**400, '\x07']
    refused = 0
    for case in range(CASES):
        data = mutated(whole, rng) if case % 2 else yaml.safe_dump(_with(description(), rng, values)).encode()
        try:
            parse_description(data)
            made.with_suffix('.yaml').write_bytes(data)
            OnnxFile.load(made)
        except PolicyFileError as error:
            refused += 1
            assert '\n' not in str(error) and len(str(error)) < 2000
    made.with_suffix('.yaml').write_bytes(whole)
    assert CASES // 3 < refused < CASES


def _with(content, rng, values):
    """Return a description with a value somewhere replaced by a strange one."""
    place, key = content, str(rng.choice(list(content)))
    while isinstance(place[key], dict | list) and place[key] and rng.random() < 0.7:
        place = place[key]
        key = str(rng.choice(list(place))) if isinstance(place, dict) else int(rng.integers(len(place)))
    place[key] = values[int(rng.integers(len(values)))]
    if rng.random() < 0.1:
        content[str(rng.choice(['sources', 'tensors', '<<', 'eval']))] = values[int(rng.integers(len(values)))]
    return content


def small(*nodes, inputs=(('obs', (1, 4)),), outputs=(('actions', (1, 2)),), weights=(), **options):
    """Return a model of these nodes."""
    graph = helper.make_graph(
        list(nodes), 'policy', *(
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
            for ends in (inputs, outputs)
        ), list(weights),
    )  # fmt: skip
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid('', 17)], **options)


TWO = numpy_helper.from_array(np.ones((4, 2), np.float32), 'w')
MULTIPLY = helper.make_node('MatMul', ['obs', 'w'], ['actions'])
LITTLE = {
    'period': 0.02, 'joints': ['a', 'b'], 'default_positions': 0.0,
    'observations': [{'term': 'joint_pos', 'scale': 1}, {'term': 'joint_vel', 'scale': 1}],
    'actions': {'scale': 1.0, 'low': -1.0, 'high': 1.0},
}  # fmt: skip


def refused(model, tmp_path, content=LITTLE):
    path = tmp_path / 'small.onnx'
    path.write_bytes(model.SerializeToString())
    path.with_suffix('.yaml').write_text(yaml.safe_dump(content))
    return outcome(path)


def test_the_small_model_runs_as_it_is(tmp_path):
    assert refused(small(MULTIPLY, weights=[TWO]), tmp_path) == ''


def test_tensors_in_other_files_are_not_read(tmp_path):
    secret = tmp_path / 'secret'
    secret.write_bytes(np.ones(8, np.float32).tobytes())
    outside = TensorProto(name='w', data_type=TensorProto.FLOAT, dims=[4, 2], data_location=TensorProto.EXTERNAL)
    for location in (str(secret), 'secret', '../secret'):
        del outside.external_data[:]
        outside.external_data.add(key='location', value=location)
        assert "its tensor 'w' is in another file; save all tensors in one file" in refused(
            small(MULTIPLY, weights=[outside]), tmp_path
        )
        constant = helper.make_node('Constant', [], ['w'], value=outside)
        assert 'is in another file' in refused(small(constant, MULTIPLY), tmp_path)


def test_own_operators_loops_and_functions_are_not_run(tmp_path):
    custom = helper.make_node('MatMul', ['obs', 'w'], ['actions'], domain='com.microsoft')
    assert "the operator 'MatMul' of 'com.microsoft'" in refused(small(custom, weights=[TWO]), tmp_path)
    body = helper.make_graph([helper.make_node('Identity', ['w'], ['x'])], 'body', [], [])
    branch = helper.make_node('If', ['obs'], ['actions'], then_branch=body, else_branch=body)
    assert "it has a loop or a branch ('If')" in refused(small(branch), tmp_path)
    function = helper.make_function('own', 'F', ['a'], ['b'], [helper.make_node('Exp', ['a'], ['b'])],
                                    [helper.make_opsetid('', 17)])  # fmt: skip
    assert 'it contains functions' in refused(small(MULTIPLY, weights=[TWO], functions=[function]), tmp_path)


def test_random_actions_are_refused(tmp_path):
    noise = helper.make_node('RandomNormal', [], ['actions'], shape=[1, 2])
    assert 'export the mean action' in refused(small(noise), tmp_path)


def test_memory_that_no_policy_needs_is_refused_before_it_is_taken(tmp_path):
    much = numpy_helper.from_array(np.array([10**12], np.int64), 'n')
    nodes = [helper.make_node('ConstantOfShape', ['n'], ['z']), helper.make_node('ReduceMax', ['z'], ['m']),
             helper.make_node('MatMul', ['obs', 'w'], ['y']),
             helper.make_node('Add', ['y', 'm'], ['actions'])]  # fmt: skip
    began = time.monotonic()
    assert 'cannot be run' in refused(small(*nodes, weights=[TWO, much]), tmp_path)
    assert time.monotonic() - began < 30  # filling a terabyte takes longer


def test_a_huge_input_is_refused(tmp_path):
    model = small(MULTIPLY, inputs=(('obs', (1, 2**40)),), weights=[TWO])
    assert "its input 'obs' has 2 dimensions and 1099511627776 entries" in refused(model, tmp_path)


def test_an_operator_set_of_the_future_is_named(tmp_path):
    model = small(MULTIPLY, weights=[TWO])
    model.opset_import[0].version = 9999
    assert 'onnxruntime' in refused(model, tmp_path) and 'cannot run it' in refused(model, tmp_path)


def test_a_description_that_leads_out_of_the_folder_is_not_read(tmp_path):
    folder, secret = tmp_path / 'policies', tmp_path / 'secret.yaml'
    folder.mkdir()
    secret.write_text('password: 1\n')
    path = folder / 'small.onnx'
    path.write_bytes(small(MULTIPLY, weights=[TWO]).SerializeToString())
    path.with_suffix('.yaml').symlink_to(secret)
    assert outcome(path).endswith("its description 'small.yaml' must be a file in the same folder, not a link.")
    path.with_suffix('.yaml').unlink()
    os.mkfifo(path.with_suffix('.yaml'))
    assert 'must be a file in the same folder' in outcome(path)


def test_yaml_that_would_run_code_or_grow_is_refused(tmp_path):
    for text, words in (
        ('!!python/object/apply:os.system ["true"]', 'it is not YAML'),
        ('a: &a [1, 2]\nb: [*a, *a]', "it has an alias ('*name')"),
        ('[' * 5000, 'it has 5000 opening brackets'),
        ('[' * 400, 'it is not YAML'),
        ('- ' * 2000, 'it is not YAML'),
        ('- period', "'velora_ros deploy' drafts a description"),
        ('period: fast', "it.period is 'fast'; it must be a number"),
        ('periode: 0.02', 'it has the unknown field periode; the known fields are period'),
        ('#' * 2**20, 'it has more than'),
    ):
        with pytest.raises(PolicyFileError) as error:
            parse_description(text.encode())
        assert words in str(error.value), error.value
