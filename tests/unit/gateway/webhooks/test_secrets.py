"""The secrets of WEBHOOK_SECRETS."""

import base64

import pytest

from gateway.webhooks.secrets import load_webhook_secrets
from shared.errors import SettingsError
from shared.settings import load_settings

GOOD = f"whsec_{base64.b64encode(b'x' * 32).decode()}"
OTHER = f"whsec_{base64.b64encode(b'y' * 24).decode()}"


def test_a_key_may_have_two_secrets_and_others_have_none() -> None:
    secrets = load_webhook_secrets(load_settings({"WEBHOOK_SECRETS": f"daw:{GOOD}, daw:{OTHER}"}), {"daw", "web"})
    assert (bool(secrets), secrets.has("daw"), secrets.has("web"), secrets.has(None)) == (True, True, False, False)
    assert len(secrets.sign("daw", "msg_1", 1, b"{}").split()) == 2


def test_a_gateway_without_keys_has_one_name() -> None:
    assert load_webhook_secrets(load_settings({"WEBHOOK_SECRETS": f"default:{GOOD}"}), ()).has(None)
    assert not load_webhook_secrets(load_settings({}), ())


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"other:{GOOD}",
        "daw:whsec_",
        "daw:secret",
        f"daw:{GOOD.removeprefix('whsec_')}",
        f"daw:whsec_{base64.b64encode(b'x' * 23).decode()}",
        f"daw:whsec_{base64.b64encode(b'x' * 65).decode()}",
        "daw:whsec_!!!!",
        f"daw:{GOOD},daw:{OTHER},daw:{GOOD}",
    ],
)
def test_a_wrong_secret_is_named_without_showing_it(text: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SECRETS") as refused:
        load_webhook_secrets(load_settings({"WEBHOOK_SECRETS": text}), {"daw"})
    assert GOOD not in str(refused.value)
