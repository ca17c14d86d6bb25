"""Files of logits: reading them, and how far one is from another."""

import array
import ast
import struct


def read(file):
    """The rows of a float32 matrix."""
    content = file.read_bytes()
    if content[:6] != b"\x93NUMPY":
        raise ValueError(f"{file} is no NumPy file")
    start, (length,) = (10, struct.unpack("<H", content[8:10])) if content[6] == 1 else (12, struct.unpack("<I", content[8:12]))
    header = ast.literal_eval(content[start:start + length].decode("latin-1"))
    if header["descr"] != "<f4" or header["fortran_order"] or len(header["shape"]) != 2:
        raise ValueError(f"{file}: {header} is no matrix of float32")
    values = array.array("f")
    values.frombytes(content[start + length:])
    rows, columns = header["shape"]
    return [values[i * columns:(i + 1) * columns] for i in range(rows)]


def compare(ours, reference, margin):
    """(normalised squared error, rows whose likeliest token differs though the reference leads by more than the margin)."""
    if [len(row) for row in ours] != [len(row) for row in reference]:
        raise ValueError(f"{len(ours)} rows are compared with {len(reference)}, or their lengths differ")
    error = square = 0.0
    different = 0
    for mine, yours in zip(ours, reference):
        error += sum((a - b) ** 2 for a, b in zip(mine, yours))
        square += sum(b * b for b in yours)
        best = max(range(len(yours)), key=yours.__getitem__)
        second = max((value for i, value in enumerate(yours) if i != best), default=float("-inf"))
        if yours[best] - second > margin and max(range(len(mine)), key=mine.__getitem__) != best:
            different += 1
    return error / square if square else float("nan"), different
