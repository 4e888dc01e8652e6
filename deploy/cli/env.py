"""`musicgen env`: the variables that other programs need to reach a running `up`."""

import shlex
from pathlib import Path
from urllib.parse import urlsplit

from deploy.stack.credentials import load_credentials
from deploy.stack.data_folder import find_process, read_run_file
from shared.errors import MusicgenError
from shared.settings import load_settings


def print_exports(data_dir: Path) -> None:
    """Print `export` lines with the operator's credentials, for `eval "$(musicgen env)"`.

    Raises:
        MusicgenError: if no `up` runs on `data_dir`.
    """
    for name, value in exported_variables(data_dir).items():
        print(f"export {name}={shlex.quote(value)}")


def exported_variables(data_dir: Path) -> dict[str, str]:
    """Return the variables and their values, for the servers that `up` runs itself.

    Raises:
        MusicgenError: if no `up` runs on `data_dir`.
    """
    urls = {each.role: each.urls[0] for each in read_run_file(data_dir) if find_process(each)}
    if not urls:
        raise MusicgenError(f"No `musicgen up` runs on {data_dir}. Start one, or give its --data-dir.")
    credentials, found = load_credentials(data_dir), {}
    if "gateway" in urls:
        found["MUSICGEN_URL"] = urls["gateway"]
    if "nats" in urls:
        password = credentials.nats_passwords["operator"]
        found["NATS_URL"] = f"nats://operator:{password}@{urlsplit(urls['nats']).netloc}"
    if "s3" in urls:
        keys = credentials.s3_keys["operator"]
        found["S3_ENDPOINT"] = found["AWS_ENDPOINT_URL"] = urls["s3"]
        found["S3_ACCESS_KEY"] = found["AWS_ACCESS_KEY_ID"] = keys.access_key
        found["S3_SECRET_KEY"] = found["AWS_SECRET_ACCESS_KEY"] = keys.secret_key
        settings = load_settings()
        found["S3_BUCKET"] = settings.s3_bucket
        found["AWS_REGION"] = settings.s3_region
    return found
