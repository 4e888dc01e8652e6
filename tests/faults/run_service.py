"""Run a gateway or worker with shorter times: `python -m tests.faults.run_service worker`.

`FAULTS_CONSTANTS` holds them as JSON, by the full name of the constant. Everything else is the real program.
"""

import importlib
import json
import os
import pkgutil
import sys


def main() -> None:
    """Set the constants in shared/ and the modules of the role, and run it."""
    role = sys.argv[1]
    # Child processes must not load libfaketime: it breaks `time.sleep`, which the test engines use.
    os.environ.pop("LD_PRELOAD", None)
    for name, value in json.loads(os.environ["FAULTS_CONSTANTS"]).items():
        module, _, constant = name.rpartition(".")
        if module.split(".")[0] in ("shared", role):
            # Set before modules that import them by name are loaded.
            owner = pkgutil.resolve_name(module)
            assert hasattr(owner, constant), name
            setattr(owner, constant, value)
    importlib.import_module(f"{role}.main").main()


if __name__ == "__main__":
    main()
