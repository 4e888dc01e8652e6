"""User text: invisible characters, bidirectional controls, and what logs, terminals and XML can show."""

import re
import unicodedata

# Marks, overrides and isolates of the bidirectional algorithm (UAX #9), which can change the displayed order.
# Arabic and Hebrew are readable without them.
_BIDI = dict.fromkeys([0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])
# Categories of invisible characters: controls, formats, surrogates, spaces, and combining marks.
_SHAPELESS = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"})
# Letters and symbols that render blank, and code points reserved for ignorable characters.
_BLANK = frozenset(map(chr, [0x115F, 0x1160, 0x2065, 0x2800, 0x3164, 0xFFA0, 0x1D159, *range(0xFFF0, 0xFFF9)]))
_IGNORABLE_PLANE = range(0xE0000, 0xE1000)
# https://www.w3.org/TR/xml/#charsets
_NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def without_bidi_controls(text: str) -> str:
    """Remove bidirectional controls. Joiners stay, because emoji and some scripts need them."""
    return text.translate(_BIDI)


def xml_text(text: str) -> str:
    """Remove the characters that XML 1.0 does not allow, such as controls; `&` and `<` are not escaped."""
    return _NO_XML.sub("", text)


def is_visible(text: str) -> bool:
    """Whether at least one character is visible."""
    return any(map(_shows, text))


def _shows(character: str) -> bool:
    return (
        unicodedata.category(character) not in _SHAPELESS
        and character not in _BLANK
        and ord(character) not in _IGNORABLE_PLANE
    )


def escaped(text: str, keep: str = "") -> str:
    r"""Replace non-printable characters with escapes such as `\u202e`, for logs and terminals."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else _escape(each) for each in text)


def _escape(character: str) -> str:
    return character.encode("ascii", "backslashreplace").decode() if ord(character) > 0x7F else repr(character)[1:-1]
