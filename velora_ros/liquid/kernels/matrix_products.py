"""
Products of small matrices for use inside compiled loops, as fast as a BLAS.

numba passes ``np.dot`` to scipy's BLAS, which is not needed otherwise. LLVM does not keep a block of the result in
registers by itself, because it cannot know that the arrays do not overlap: three times slower at 64 x 64 x 128
(measured, 8 against 23 us). So the innermost block is written out here for LLVM; everything around it is a plain loop.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from numba.core import cgutils as _cgutils
from numba.core import codegen as _codegen
from numba.core import types
from numba.extending import intrinsic

from velora_ros.liquid.kernels.compiler import kernel

Array = npt.NDArray[np.float32]

cgutils: Any = _cgutils  # numba is untyped
codegen: Any = _codegen
ir = cgutils.ir  # from llvmlite, which comes with numba

# How many float32 a vector register holds, with AVX-512 or AVX2. With 16 lanes, the eight sums of a block would not fit
# into AVX2's registers, and a product would take 1.6 times as long (measured, 22 against 14 us).
LANES = 16 if '+avx512f' in codegen.get_host_cpu_features() else 8
PACKED_COLUMNS, PACKED_ROWS = 768, 32
"""A product with at least this many columns and rows copies each block before it uses it."""
PACKED_INNER = 256
"""Number of rows of b in a copied block: 32 KB with AVX-512, which fit in the L1 cache."""
ROWS = 4  # rows of a block; it is two vectors wide, and its eight sums hide the latency of an addition

_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, LANES)
_FIRST = ir.Constant(ir.IntType(32), 0)
_FIRST_EVERYWHERE = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
_MAY_FUSE = ('contract',)  # multiply and add in one instruction


def _block(n_rows: int, n_vectors: int) -> Callable[..., None]:
    """
    Return a function for kernels that adds a b to a block of out with n_rows rows and n_vectors * LANES columns.

    Its arguments: a, b, out, first row, first column of out, first column of b, and the number of columns of a.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        a, b, out = (
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:3], arguments, strict=False)
        )
        row, column, b_column, inner = arguments[3:]

        def plus(index: Any, offset: int) -> Any:
            return builder.add(index, ir.Constant(index.type, offset))

        def address(array: Any, i: Any, j: Any, kind: Any) -> Any:
            strides = cgutils.unpack_tuple(builder, array.strides, 2)
            offset = builder.add(builder.mul(i, strides[0]), builder.mul(j, strides[1]))
            return cgutils.pointer_add(builder, array.data, offset, kind.as_pointer())

        def vectors(array: Any, i: Any, j: Any) -> list[Any]:
            return [address(array, i, plus(j, v * LANES), _VECTOR) for v in range(n_vectors)]

        targets = [vectors(out, plus(row, r), column) for r in range(n_rows)]
        sums = [
            [cgutils.alloca_once_value(builder, builder.load(target, align=4)) for target in line] for line in targets
        ]  # LLVM turns them into registers
        with cgutils.for_range(builder, inner) as loop:
            factors = [builder.load(pointer, align=4) for pointer in vectors(b, loop.index, b_column)]
            for r in range(n_rows):
                scalar = builder.load(address(a, plus(row, r), loop.index, _FLOAT))
                first = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), scalar, _FIRST)
                everywhere = builder.shuffle_vector(first, first, _FIRST_EVERYWHERE)
                for total, factor in zip(sums[r], factors, strict=True):
                    product = builder.fmul(everywhere, factor, flags=_MAY_FUSE)
                    builder.store(builder.fadd(builder.load(total), product, flags=_MAY_FUSE), total)
        for line, line_sums in zip(targets, sums, strict=True):
            for target, total in zip(line, line_sums, strict=True):
                builder.store(builder.load(total), target, align=4)
        return context.get_dummy_value()

    def block(  # noqa: PLR0917
        typing_context: Any, a: Any, b: Any, out: Any, row: Any, column: Any, b_column: Any, inner: Any
    ) -> Any:
        del typing_context, row, column, b_column, inner
        return types.void(a, b, out, types.intp, types.intp, types.intp, types.intp), generate

    return cast('Callable[..., None]', intrinsic(block))


_wide, _wide_row = _block(ROWS, 2), _block(1, 2)
_tall, _short_row = _block(2 * ROWS, 1), _block(1, 1)


@kernel
def _packed_product(a: Array, b: Array, out: Array) -> int:
    """
    Add a b to out as :func:`add_product` does, for all whole blocks of columns; return the number of these columns.

    Neighbouring long rows are whole kilobytes apart, so the numbers of a column evict each other from the cache. A
    block is therefore copied to contiguous memory first. Every entry of out is summed in the same order as without
    copies.
    """
    (n_rows, inner), n_columns = a.shape, b.shape[1]
    panel = np.empty((PACKED_INNER, 2 * LANES), np.float32)
    last_block, column = n_rows - n_rows % ROWS, 0
    while column + 2 * LANES <= n_columns:
        for start in range(0, inner, PACKED_INNER):
            size = min(PACKED_INNER, inner - start)
            for k in range(size):
                for j in range(2 * LANES):
                    panel[k, j] = b[start + k, column + j]
            part = a[:, start : start + size]
            for row in range(0, last_block, ROWS):
                _wide(part, panel, out, row, column, 0, size)
            for row in range(last_block, n_rows):
                _wide_row(part, panel, out, row, column, 0, size)
        column += 2 * LANES
    return column


@kernel
def add_product(a: Array, b: Array, out: Array) -> None:
    """
    Add a b to out.

    Args:
        a: shape (m, k), of any layout; a transposed matrix is just as fast.
        b: shape (k, n), rows contiguous.
        out: shape (m, n), rows contiguous; it must not overlap a or b. Fastest if n is a multiple of 16.
    """
    (n_rows, inner), n_columns = a.shape, b.shape[1]
    last_block, column = n_rows - n_rows % ROWS, 0
    if n_columns >= PACKED_COLUMNS and n_rows >= PACKED_ROWS:
        column = _packed_product(a, b, out)
    while column + 2 * LANES <= n_columns:
        for row in range(0, last_block, ROWS):
            _wide(a, b, out, row, column, column, inner)
        for row in range(last_block, n_rows):
            _wide_row(a, b, out, row, column, column, inner)
        column += 2 * LANES
    if column + LANES <= n_columns:
        last_tall = n_rows - n_rows % (2 * ROWS)
        for row in range(0, last_tall, 2 * ROWS):
            _tall(a, b, out, row, column, column, inner)
        for row in range(last_tall, n_rows):
            _short_row(a, b, out, row, column, column, inner)
        column += LANES
    if column < n_columns:
        for row in range(n_rows):
            for k in range(inner):
                factor = a[row, k]
                for j in range(column, n_columns):
                    out[row, j] += factor * b[k, j]


@kernel
def transpose(b: Array, out: Array) -> None:
    """Set out, shape (n, k'), to b^T, where b has the shape (k, n); the columns from k to k' become zero."""
    n_inputs, n_columns = b.shape
    for block in range(0, out.shape[1], 8):  # so that every cache line that is touched is filled
        if block + 8 <= n_inputs:
            for j in range(n_columns):
                for i in range(8):
                    out[j, block + i] = b[block + i, j]
        else:
            for j in range(n_columns):
                for i in range(block, block + 8):
                    out[j, i] = b[i, j] if i < n_inputs else np.float32(0.0)


@kernel
def outer_product(a: Array, b: Array, out: Array) -> None:
    """
    Set out = a b^T, summed over blocks: the gradient of a weight.

    Args:
        a: shape (blocks, m, n), the gradient of a layer's sums.
        b: shape (blocks, k, n), the layer's inputs.
        out: shape (m, k), written.
    """
    n_inputs = b.shape[1]
    padded = (n_inputs + LANES - 1) // LANES * LANES  # whole vectors
    transposed = np.empty((b.shape[2], padded), np.float32)
    total = np.zeros((a.shape[1], padded), np.float32)
    for block in range(len(a)):
        transpose(b[block], transposed)
        add_product(a[block], transposed, total)
    for row in range(out.shape[0]):
        for i in range(n_inputs):
            out[row, i] = total[row, i]
