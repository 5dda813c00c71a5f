"""
Checks an ONNX model before onnxruntime loads it.

A model is data from an untrusted source. Custom operators, loops, functions, tensors in other files, random numbers and
tensors that are too large are refused. ``onnx_engine.py`` limits the memory and the threads of a model.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from velora_ros.errors import MissingDependencyError, PolicyFileError
from velora_ros.utils.dependencies import how_to_install

if TYPE_CHECKING:
    import onnx

LARGEST_MODEL = 2**27
"""Maximum size of a model in bytes; a network with three layers of 1,024 neurons has 10 MB."""
MOST_NODES = 20_000
MOST_TENSORS = 64
"""Maximum number of inputs, and of outputs."""
LARGEST_TENSOR = 2**20
"""Maximum number of entries of an input or output."""
LONGEST_METADATA = 2**20
_LONGEST_ERROR = 1500
STANDARD_DOMAINS = ('', 'ai.onnx')


def parse(data: bytes) -> 'onnx.ModelProto':
    """
    Return a model from its bytes; no other file is read.

    Raises:
        MissingDependencyError: onnx is not installed.
        PolicyFileError: the bytes are not an ONNX model, or :func:`check` refuses the model.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # noqa: PLC0415 - slow, and only for these policies
    except ImportError as error:
        raise MissingDependencyError(
            f'an ONNX policy needs onnx and onnxruntime, which cannot be imported ({error}). {how_to_install("onnx")}'
        ) from error
    if len(data) > LARGEST_MODEL:
        raise PolicyFileError(f'it exceeds the limit of {LARGEST_MODEL} bytes; export a smaller model.')
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError, RecursionError) as error:
        raise PolicyFileError(f'it is a damaged ONNX model ({_short(error)}); copy or export it again.') from error
    check(model)
    return model


def check(model: 'onnx.ModelProto') -> None:
    """
    Check that a model only computes with its inputs and its own weights, and is not too large.

    Raises:
        PolicyFileError: the model is refused; the error says what was found and what to do.
    """
    graph = model.graph
    if not (graph.node and graph.input and graph.output):
        raise PolicyFileError('it is an ONNX model without a network; export it again.')
    if len(graph.node) > MOST_NODES or max(len(graph.input), len(graph.output)) > MOST_TENSORS:
        raise PolicyFileError(
            f'it has {len(graph.node)} nodes, {len(graph.input)} inputs and {len(graph.output)} outputs; export a '
            f'model with at most {MOST_NODES} nodes, {MOST_TENSORS} inputs and {MOST_TENSORS} outputs.'
        )
    if not any(entry.domain in STANDARD_DOMAINS for entry in model.opset_import):
        raise PolicyFileError('it does not give its ONNX opset; export it again.')
    if len(model.functions) or len(model.training_info):
        raise PolicyFileError(
            'it contains functions or a training part; inline them with onnx.inliner.inline_local_functions, '
            'or export the policy with torch.onnx.export(..., dynamo=False).'
        )
    if len(graph.sparse_initializer):
        raise PolicyFileError('it has sparse weights; export it with dense weights.')
    _check_texts(model)
    _check_metadata(model)
    for node in graph.node:
        _check_node(node)
    for tensor in _tensors(graph):
        _check_weights(tensor)


def _check_texts(model: 'onnx.ModelProto') -> None:
    """Check that every name in the model is text; protobuf returns bytes for invalid text."""
    graph = model.graph
    names = [value.name for value in (*graph.input, *graph.output, *graph.initializer)]
    names += [name for entry in model.metadata_props for name in (entry.key, entry.value)]
    names += [name for node in graph.node for name in (node.op_type, node.domain, *node.input, *node.output)]
    if not all(isinstance(name, str) for name in names):
        raise PolicyFileError('it is a damaged ONNX model with a name that is not text; copy or export it again.')


def _check_metadata(model: 'onnx.ModelProto') -> None:
    length = sum(len(entry.key) + len(entry.value) for entry in model.metadata_props)
    if length > LONGEST_METADATA:
        raise PolicyFileError(
            f'its metadata has {length} characters, but the limit is {LONGEST_METADATA}; export it with less metadata.'
        )


def _check_node(node: 'onnx.NodeProto') -> None:
    name = _shown(node.op_type)
    if node.domain not in STANDARD_DOMAINS:
        raise PolicyFileError(
            f"it uses the operator '{name}' of '{_shown(node.domain)}', but only the standard operators of ONNX are "
            'supported; export the policy without optimisations for a runtime.'
        )
    if node.op_type.startswith('Random') or node.op_type in ('Multinomial', 'Bernoulli'):
        raise PolicyFileError(f"it draws random numbers ('{name}'); export the mean action instead.")
    for attribute in node.attribute:
        if attribute.HasField('g') or len(attribute.graphs):
            raise PolicyFileError(f"it has a loop or a branch ('{name}'); export a single step of the policy.")
        if attribute.HasField('sparse_tensor') or len(attribute.sparse_tensors):
            raise PolicyFileError('it has sparse weights; export it with dense weights.')


def _tensors(graph: 'onnx.GraphProto') -> Iterator['onnx.TensorProto']:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField('t'):
                yield attribute.t
            yield from attribute.tensors


def _check_weights(tensor: 'onnx.TensorProto') -> None:
    if tensor.data_location or len(tensor.external_data):
        raise PolicyFileError(
            f"its tensor '{_shown(tensor.name)}' is in another file; save all tensors in one file: "
            "onnx.save(onnx.load('policy.onnx'), 'whole.onnx')."
        )
    size = math.prod(tensor.dims)
    if min(tensor.dims, default=1) < 0 or size > LARGEST_MODEL:
        raise PolicyFileError(
            f"its tensor '{_shown(tensor.name)}' has the shape {_shape(tensor.dims)}; a tensor may have at most "
            f'{LARGEST_MODEL} elements.'
        )


def one_line(error: object) -> str:
    """Return an error's text as one short line without a final full stop."""
    return _short(error)


def one_sentence(error: object) -> str:
    """Return an error's text, which may quote a damaged file, as one printable line with a final full stop."""
    words = ' '.join(str(error).split())
    shown = ''.join(letter if letter.isprintable() else '?' for letter in words)
    return (shown if len(shown) <= _LONGEST_ERROR else f'{shown[:_LONGEST_ERROR]}...').rstrip('.') + '.'


def _short(error: object) -> str:
    words = ' '.join(str(error).split())
    return (words if len(words) <= 200 else f'{words[:200]}...').rstrip('. ')


def _shown(name: str) -> str:
    return name if len(name) <= 60 and name.isprintable() else f'{ascii(name)[1:60]}...'


def _shape(dims: Any) -> str:
    shown = [str(size) for size in dims[:8]]
    return f'({", ".join(shown)}{", ..." if len(dims) > 8 else ""})'
