"""`musicgen up` on a data folder whose name means something to a server, a shell, a URL or a terminal."""

from pathlib import Path

import pytest

from tests.e2e.stack import Up, musicgen

pytestmark = pytest.mark.e2e

NAME = "a,b [bold] \"c\" 'd' $HOME #%20\\ é\n" + "x" * 94


def test_up_works_in_a_folder_of_any_name_and_the_client_commands_find_it_there(tmp_path: Path) -> None:
    stack = Up(tmp_path / "stack" / NAME, MUSICGEN_ENGINE="tests.engines:load")
    stack.data_dir.parent.mkdir()
    folder = ["--data-dir", str(stack.data_dir)]
    try:
        stack.start()
        made = musicgen("generate", "tone", "--duration", "1", *folder, "-o", str(tmp_path / "music.wav"))
        assert made.returncode == 0, made.stderr
        assert (tmp_path / "music.wav").stat().st_size == 44 + 2 * 32_000
        listed = musicgen("jobs", *folder)
        assert len(listed.stdout.splitlines()) == 1
        job_id, status, *_ = listed.stdout.split("\t")
        assert status == "completed"
        assert "nothing to cancel" in musicgen("cancel", job_id, *folder).stderr
        assert "✓ workers" in musicgen("doctor", *folder).stdout
        assert stack.stop() == 0
        # Into the data folder and nowhere else: `up` writes what it says to the file beside it.
        assert {each.name for each in tmp_path.iterdir()} == {"stack", "music.wav"}
        assert {each.name for each in (tmp_path / "stack").iterdir()} == {NAME, stack.output_file.name}
    finally:
        stack.close()


def test_doctor_says_that_no_worker_serves_a_model_while_up_has_none(tmp_path: Path) -> None:
    stack = Up(tmp_path / "data", "--no-worker")
    try:
        stack.start()
        looked = musicgen("doctor", "--data-dir", str(stack.data_dir))
        assert looked.returncode == 1
        assert "✗ workers" in looked.stdout
        assert "no worker serves a model: jobs stay queued" in looked.stdout
        assert stack.stop() == 0
    finally:
        stack.close()
