"""Loading a codec avoids the libraries that EnCodec usually needs; importing them takes over ten seconds."""

import subprocess
import sys

PROGRAM = """
import sys
import worker.engine.loading.codecs
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_neither_audiocraft_nor_transformers_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "torch" in imported
    assert not imported & {"audiocraft", "transformers", "encodec", "torchaudio"}
