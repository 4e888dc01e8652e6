"""Generated passwords and keys, and the file that holds them."""

import json
import os
from pathlib import Path

import pytest

from deploy.stack.credentials import CREDENTIALS_FILE, Credentials, load_credentials, write_private


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return load_credentials(tmp_path)


def secrets_of(credentials: Credentials) -> list[str]:
    keys = credentials.s3_keys.values()
    return [*credentials.nats_passwords.values(), *(k.access_key for k in keys), *(k.secret_key for k in keys)]


def test_credentials_are_generated_once_and_kept(tmp_path: Path) -> None:
    assert load_credentials(tmp_path) == load_credentials(tmp_path)


def test_two_data_folders_share_no_secret(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = load_credentials(tmp_path / "a"), load_credentials(tmp_path / "b")
    assert not set(secrets_of(first)) & set(secrets_of(second))


def test_only_the_owner_can_read_the_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_credentials(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / CREDENTIALS_FILE).stat().st_mode & 0o777 == 0o600
    assert [each.name for each in tmp_path.iterdir()] == [CREDENTIALS_FILE]


def test_a_readable_file_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    file = tmp_path / "s3.json"
    for readable in (file, tmp_path / "s3.tmp"):
        readable.write_text("old")
        readable.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert file.stat().st_mode & 0o777 == 0o600


def test_every_secret_is_long_different_and_begins_with_a_letter(credentials: Credentials) -> None:
    found = secrets_of(credentials)
    assert len(set(found)) == len(found)
    for secret in found:
        assert secret.isascii()
        assert secret.isalnum()
        assert secret[0].isalpha()
        assert len(secret) >= 20


def test_nats_conf_reads_the_password_of_each_role_from_a_variable(credentials: Credentials) -> None:
    environment = credentials.nats_environment()
    conf = (Path(__file__).parents[4] / "nats.conf").read_text()
    assert set(credentials.nats_passwords) == {"gateway", "worker", "operator", "observer"}
    for role, password in credentials.nats_passwords.items():
        assert environment[f"NATS_{role.upper()}_PASSWORD"] == password
        assert f"$NATS_{role.upper()}_PASSWORD" in conf


def test_the_gateway_may_write_uploads_only_and_the_worker_all_of_its_bucket(credentials: Credentials) -> None:
    identities = json.loads(credentials.s3_configuration("tunes"))["identities"]
    actions = {each["name"]: set(each["actions"]) for each in identities}
    assert actions["gateway"] == {"Read:tunes", "List:tunes", "Write:tunes/uploads/*"}
    assert "Write:tunes" in actions["worker"]
    assert all(action.endswith(":tunes") for action in actions["worker"])
    assert "Admin" in actions["operator"]


def test_the_s3_configuration_holds_s3_keys_and_no_other_secret(credentials: Credentials) -> None:
    text = credentials.s3_configuration("tunes")
    for keys in credentials.s3_keys.values():
        assert keys.access_key in text
        assert keys.secret_key in text
    assert not any(password in text for password in credentials.nats_passwords.values())
