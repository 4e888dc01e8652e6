"""A gateway or worker as a process, with shorter times: `python -m tests.faults.run_service worker`.

`FAULTS_CONSTANTS` holds them as JSON, by the constant's full name. The program that then runs is the real one.
"""

import importlib
import json
import os
import pkgutil
import sys


def main() -> None:
    """Set the constants of the role's own modules, and run it."""
    role = sys.argv[1]
    # Where libfaketime shifts this process's clock: it breaks `time.sleep`, by which the engines work.
    os.environ.pop("LD_PRELOAD", None)
    for name, value in json.loads(os.environ["FAULTS_CONSTANTS"]).items():
        module, _, constant = name.rpartition(".")
        if module.split(".")[0] in ("shared", role):
            # Shared ones first: modules that take them over by name are imported after them.
            owner = pkgutil.resolve_name(module)
            assert hasattr(owner, constant), name
            setattr(owner, constant, value)
    importlib.import_module(f"{role}.main").main()


if __name__ == "__main__":
    main()
