"""Loads the native library `native/musicgen_step.h` through ctypes, which releases the GIL during each call."""

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int32, c_int64, c_void_p
from functools import cache

from worker.engine.kernels.compile import LIBRARY

REMEDY = (
    "Install gcc 11 or clang, or allow access to PyPI, which has a C compiler, and run "
    "`uv sync --reinstall-package tellurstori-musicgen`"
)


class NativeStepError(Exception):
    """The library is missing, cannot be loaded, or refused a call."""


class ShapeStruct(ctypes.Structure):
    """`mg_shape` of the header."""

    _fields_ = (
        ("dim", c_int32),
        ("heads", c_int32),
        ("layers", c_int32),
        ("hidden", c_int32),
        ("codebooks", c_int32),
        ("codebook_size", c_int32),
        ("positions", c_int32),
        ("cross", c_int32),
        ("threads", c_int32),
    )


@cache
def load_library() -> ctypes.CDLL:
    """Load the library.

    Raises:
        NativeStepError: if it was not compiled, or not for this machine.
    """
    if not LIBRARY.exists():
        raise NativeStepError("it was not compiled when the service was installed")
    try:
        library = ctypes.CDLL(str(LIBRARY))
    except OSError as error:
        raise NativeStepError(f"it cannot be loaded: {error}") from error
    shape = POINTER(ShapeStruct)
    for name, result, arguments in (
        ("mg_sets", c_char_p, []),
        ("mg_model_new", c_void_p, [shape, c_char_p]),
        ("mg_model_free", None, [c_void_p]),
        ("mg_model_set", c_int32, [c_void_p, c_int32, c_int32, c_int32, c_void_p]),
        ("mg_model_embedding", POINTER(c_float), [c_void_p]),
        ("mg_cache_new", c_void_p, [shape, c_int32, c_int32, c_int32]),
        ("mg_cache_free", None, [c_void_p]),
        ("mg_cache_bytes", c_int64, [shape, c_int32, c_int32, c_int32]),
        ("mg_cache_set_text", c_int32, [c_void_p, c_int32, c_void_p, c_int32]),
        ("mg_step", c_int32, [c_void_p, c_void_p, c_int32, *[c_void_p] * 4]),
        ("mg_codec_runs_here", c_int32, []),
        ("mg_codec_new", c_void_p, [c_int32]),
        ("mg_codec_free", None, [c_void_p]),
        ("mg_convolution_new", c_void_p, [*[c_int32] * 4, c_void_p, c_void_p]),
        ("mg_convolution_free", None, [c_void_p]),
        ("mg_codec_convolve", c_int32, [c_void_p, c_void_p, c_int32, c_void_p, c_int32, c_void_p]),
        ("mg_codec_residual", c_int32, [*[c_void_p] * 4, c_int32, c_void_p]),
        ("mg_codec_lstm", c_int32, [*[c_void_p] * 3, c_int32, c_void_p, c_int32, *[c_void_p] * 3]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def instruction_sets() -> tuple[str, ...]:
    """The instruction sets of the library that this processor runs, fastest first; `portable` is always the last.

    Raises:
        NativeStepError: if the library cannot be loaded.
    """
    names: bytes = load_library().mg_sets()
    return tuple(names.decode().split(","))
