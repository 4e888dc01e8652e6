"""Webhooks while gateways and the broker are killed."""

from pathlib import Path

import pytest

from tests.faults.webhook_soak import soak
from tests.servers import Server


@pytest.mark.timeout(600)
async def test_two_thousand_webhooks_arrive_in_order_over_kills_of_gateways_and_broker(
    nats_process: tuple[Server, dict[str, str]], s3_environment: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    report = await soak(tmp_path, nats_process, s3_environment["gateway"], deliveries=2000, seed=1, patience=90)
    assert (report.deliveries, report.lost, report.out_of_order) == (2000, 0, 0)
    assert report.requests > 2000 / 0.85  # a fifth of the requests failed
    assert report.kills >= 3
