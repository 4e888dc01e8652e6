"""Deliver webhooks to a receiver that fails at random while two gateways and NATS are killed every three seconds.

    uv run python -m bench.webhooks --deliveries 100000

Logs a line at each kill, and prints what arrived, how often, and how fast. Exits with 1 if a delivery was lost or came
out of order.
"""

import argparse
import asyncio
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.logs import configure_logs
from tests.faults.webhook_soak import soak
from tests.servers import embedded_nats, embedded_s3

# Seconds: longer than the pause before the last attempt, so that a delivery that fails nine times is waited for.
PATIENCE = 400


def main() -> int:
    """Run one soak on servers of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    configure_logs("info", "text", "bench")
    logging.getLogger("nats").setLevel(logging.CRITICAL)  # its broker is killed on purpose
    with TemporaryDirectory() as folder:
        broker, store = embedded_nats(Path(folder, "nats")), embedded_s3(Path(folder, "s3"))
        broker[0].start()
        store[0].start()
        try:
            work = soak(
                Path(folder),
                broker,
                store[1]["gateway"],
                deliveries=options.deliveries,
                seed=options.seed,
                patience=PATIENCE,
            )
            report = asyncio.run(work)
        finally:
            store[0].stop()
            broker[0].stop()
    for name, value in report._asdict().items():
        print(f"{name:>12} {value:g}")
    return 1 if report.lost or report.out_of_order else 0


if __name__ == "__main__":
    sys.exit(main())
