"""The list of takes: its order, its facts, and what can be done with a take."""

import json
import re

from playwright.sync_api import expect

from tests.browser.studio import Studio


def test_a_take_shows_its_music(studio: Studio) -> None:
    card = studio.make("tone for facts", bars=2, bpm=124, key="Am", seed=77)
    request = studio.page.get_by_role("group", name="tone for facts")
    expect(request.get_by_role("heading")).to_have_text("tone for facts")
    for fact in ("124 BPM", "A minor", "2 bars"):
        expect(request.locator(".facts")).to_contain_text(fact)
        expect(card).not_to_contain_text(fact)  # once is enough
    expect(card).to_contain_text("#77")
    expect(card).to_contain_text("0:03")


def test_a_take_without_a_score_says_why_its_bars_cannot_be_changed(studio: Studio) -> None:
    card = studio.make("tone", duration=1)
    card.get_by_label(re.compile("More for")).click()
    expect(card.get_by_text("writes no score")).to_be_visible()
    expect(card.get_by_role("button", name="Replace bars…")).to_have_count(0)


def test_the_waveform_is_that_of_the_stored_peaks(studio: Studio) -> None:
    card = studio.make("tone", duration=1)
    card.scroll_into_view_if_needed()
    studio.page.wait_for_function(
        """card => card.querySelector("canvas").getContext("2d").getImageData(0, 0, 300, 80).data.some(Boolean)""",
        arg=card.element_handle(),
    )


def test_takes_of_one_request_stand_together_and_stay_in_order_after_a_reload(studio: Studio) -> None:
    first = studio.make("tone of a group", duration=1, seed=1)
    studio.make("tone apart", duration=1)
    first.get_by_role("button", name="Another take").first.click()
    group = studio.page.get_by_role("group", name="tone of a group")
    expect(group.get_by_role("article")).to_have_count(2)
    expect(group.locator(".completed")).to_have_count(2)
    order = "nodes => nodes.map((node) => node.dataset.job)"
    before = studio.cards.evaluate_all(order)
    studio.page.reload()
    expect(studio.cards).to_have_count(len(before))
    assert studio.cards.evaluate_all(order) == before


def test_jobs_of_other_clients_appear(studio: Studio) -> None:
    card = studio.card(studio.request("tone from elsewhere", duration=1))
    expect(card).to_be_visible()
    expect(card).to_have_class("card completed")


def test_a_running_take_is_cancelled(studio: Studio) -> None:
    card = studio.card(studio.request("slow", duration=60))
    expect(card.get_by_role("progressbar")).to_be_visible()
    card.get_by_role("button", name="Cancel").click()
    expect(card).to_have_class("card cancelled")
    expect(card).to_contain_text("Cancelled")


def test_a_running_take_is_stopped_and_kept(studio: Studio) -> None:
    card = studio.card(studio.request("slow", duration=60))
    expect(card).to_have_class("card processing")
    expect(card.locator(".running")).to_contain_text("%")
    expect(card.get_by_role("button", name="Play")).to_be_enabled()  # there is something to keep
    card.get_by_role("button", name="Stop and keep").click()
    expect(card).to_contain_text("Stopped early, and kept.")
    studio.play(card)


def test_a_waiting_take_tells_its_place(studio: Studio) -> None:
    ids = [studio.request("slow", duration=60) for _ in range(4)]
    expect(studio.card(ids[3])).to_contain_text(re.compile("Number 2 in line|Next in line"))
    for job_id in ids:
        studio.card(job_id).get_by_role("button", name="Cancel").click()
        expect(studio.card(job_id)).to_have_class("card cancelled")


def test_a_failed_take_tells_why_and_can_be_made_again(studio: Studio) -> None:
    card = studio.card(studio.request("fail", duration=1))
    expect(card).to_have_class("card failed")
    expect(card).to_contain_text("no such chord")
    expect(card.get_by_role("button", name="Make again")).to_be_visible()


def test_favourites_names_and_hidden_takes_are_remembered(studio: Studio) -> None:
    card = studio.make("tone to mark", duration=1)
    other = studio.make("tone to hide", duration=1)
    card.get_by_role("button", name=re.compile("Favourite")).click()
    card.get_by_role("button", name="Take 1", exact=True).click()
    card.get_by_label(re.compile("Name of")).fill("Chorus")
    card.get_by_label(re.compile("Name of")).press("Enter")
    other.get_by_label(re.compile("More for")).click()
    other.get_by_role("button", name="Hide").click()
    expect(other).to_have_count(0)
    studio.page.reload()
    expect(card.get_by_role("button", name="Chorus", exact=True)).to_be_visible()
    expect(other).to_have_count(0)
    studio.page.get_by_role("button", name="Only favourites").click()
    expect(studio.cards).to_have_count(1)


def test_the_search_finds_words_tempo_and_names(studio: Studio) -> None:
    card = studio.make("tone for the search", bars=1, bpm=131)
    studio.page.keyboard.press("/")
    search = studio.page.get_by_role("searchbox")
    expect(search).to_be_focused()
    search.fill("131 bpm")
    expect(studio.cards).to_have_count(1)
    expect(card).to_be_visible()
    search.fill("nothing like this")
    expect(studio.page.get_by_text("No take matches.")).to_be_visible()


def test_reused_settings_make_the_same_request(studio: Studio) -> None:
    card = studio.make("tone to reuse", bars=2, bpm=92.5, key="F# major", meter="3/4", loop=True, seed=5)
    recipe = studio.status(studio.job_id(card))["recipe"]
    card.get_by_label(re.compile("More for")).click()
    card.get_by_role("button", name="Reuse settings").click()
    with studio.page.expect_response("**/api/v1/generate") as answer:
        studio.generate_button.click()
    assert studio.status(answer.value.json()["job_id"])["recipe"] == recipe


def test_a_take_is_downloaded_under_its_name(studio: Studio) -> None:
    card = studio.make("tone to download", bars=1, bpm=120)
    job_id = studio.job_id(card)
    with studio.page.expect_download() as download:
        card.get_by_role("link", name=re.compile("Download")).click()
    assert download.value.suggested_filename == studio.status(job_id)["file_name"]
    assert download.value.path().read_bytes()[:4] == b"RIFF"


def test_the_dragged_data_is_the_file(studio: Studio) -> None:
    """Chromium saves what `DownloadURL` names: type, file name and address."""
    card = studio.make("tone to drag", duration=1, outputs=["midi", "stems"])
    job_id = studio.job_id(card)
    drag = """link => {
        const data = new DataTransfer();
        link.dispatchEvent(new DragEvent("dragstart", { dataTransfer: data, bubbles: true, cancelable: true }));
        return data.getData("DownloadURL");
    }"""
    links = card.locator("a[draggable]")
    dragged = [each.split(":", 2) for each in links.evaluate_all(f"links => links.map({drag})")]
    name = studio.status(job_id)["file_name"]
    path = f"{studio.url}/api/v1/download/{job_id}"
    assert dragged == [
        ["audio/wav", name, path],
        ["audio/midi", name.replace(".wav", ".mid"), f"{path}/audio.mid"],
        ["audio/wav", name.replace(".wav", "_bass.wav"), f"{path}/bass.wav"],
        ["application/vnd.dawproject", name.replace(".wav", ".dawproject"), f"{path}/session.dawproject"],
        ["application/zip", name.replace(".wav", ".zip"), f"{path}/bundle.zip"],
    ]
    response = studio.page.request.get(dragged[1][2])
    assert response.body()[:4] == b"MThd"


def test_the_page_talks_to_nobody_but_its_gateway(studio: Studio) -> None:
    seen: list[str] = []
    studio.page.on("request", lambda request: seen.append(request.url))
    studio.page.reload()
    card = studio.make("tone", duration=1)
    studio.play(card)
    assert json.dumps([url for url in seen if not url.removeprefix("blob:").startswith((studio.url, "data:"))]) == "[]"
