"""Vorbis comments: the tags of FLAC and Ogg files."""

from worker.production.formats.tags import Tags


def vorbis_comments(tags: Tags) -> dict[str, str]:
    """Comments by field name. LOOPSTART and LOOPLENGTH are read by game engines, INITIALKEY by DJ software.

    Sections are chapters, as in https://wiki.xiph.org/Chapter_Extension.
    """
    comments = {"TITLE": tags.title, "ARTIST": tags.service, "DESCRIPTION": tags.prompt, "ENCODED-BY": tags.software}
    comments |= tags.fields()
    if not tags.prompt:
        del comments["DESCRIPTION"]
    if tags.short_key is not None:
        comments["INITIALKEY"] = tags.short_key
    if tags.is_loop:
        comments |= {"LOOPSTART": "0", "LOOPLENGTH": str(tags.frames)}
    for number, section in enumerate(tags.chapters()):
        comments[f"CHAPTER{number:03}"] = _clock(section.start)
        comments[f"CHAPTER{number:03}NAME"] = section.name
    return comments


def _clock(seconds: float) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"
