"""Random steps and layers: in bounds, defined, the same alone and in company, and the same on other processors."""

import shutil
from pathlib import Path

import pytest

from tests.unit.worker.engine.kernels.random_steps import build, build_with_sanitizers, checksums
from worker.engine.kernels.codec_layers import runs_here
from worker.engine.kernels.compile import Compiler
from worker.engine.kernels.native_library import instruction_sets

ARM_COMPILER = "aarch64-linux-gnu-gcc"
# Debian's packages qemu-user and qemu-user-static.
ARM_RUNNER = shutil.which("qemu-aarch64") or shutil.which("qemu-aarch64-static")
SEED, MODELS, LAYERS = 1, 4, 20
# Compiling and emulating take half a minute of a core, and a busy machine is slow.
pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For this processor, with the sanitizers of addresses and undefined behaviour."""
    return build_with_sanitizers(tmp_path_factory.mktemp("here") / "random_steps")


@pytest.fixture(scope="module")
def portable(program: Path) -> str:
    """The checksum of plain C on this processor."""
    return checksums([program], SEED, MODELS)["portable"]


@pytest.fixture(scope="module")
def arm_program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if ARM_RUNNER is None or shutil.which(ARM_COMPILER) is None:
        pytest.skip("apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user")
    program = tmp_path_factory.mktemp("arm") / "random_steps"
    return build(program, ["-static", "-O1"], Compiler((ARM_COMPILER,), "aarch64"))


@pytest.fixture
def seeds(pytestconfig: pytest.Config) -> range:
    """One, or with `pytest -m fuzz` a hundred."""
    return range(SEED, SEED + (100 if "fuzz" in str(pytestconfig.option.markexpr) else 1))


@pytest.mark.fuzz
@pytest.mark.skipif(not runs_here(), reason="this processor does not multiply bfloat16")
def test_layers_of_the_codec_stay_in_bounds_and_give_the_same_bits(tmp_path: Path, seeds: range) -> None:
    layers = build_with_sanitizers(tmp_path / "random_layers")
    for seed in seeds:
        assert list(checksums([layers], seed, LAYERS)) == ["layers"]


@pytest.mark.fuzz
def test_sets_of_this_processor_stay_in_bounds_and_give_the_same_bits(program: Path, seeds: range) -> None:
    for seed in seeds:
        made = checksums([program], seed, MODELS)
        assert tuple(made) == instruction_sets()
        assert {checksum for name, checksum in made.items() if name != "avx2"} == {made["portable"]}


def test_arm_with_dot_products_gives_the_bits_of_plain_c_on_this_processor(portable: str, arm_program: Path) -> None:
    made = checksums([str(ARM_RUNNER), "-cpu", "max", arm_program], SEED, MODELS)
    assert made == {"dotprod": portable, "portable": portable}


def test_arm_without_dot_products_runs_plain_c(arm_program: Path) -> None:
    assert list(checksums([str(ARM_RUNNER), "-cpu", "cortex-a53", arm_program], SEED, 1)) == ["portable"]
