"""The header Accept (RFC 9110, section 12.5.1). It selects where a path has several representations.

Elsewhere it is ignored: a client that names a type which a path does not have gets what there is.
"""


def prefers(accept: str, wanted: str, default: str) -> bool:
    """Whether the client names the media type `wanted`, and does not like `default` better."""
    weights = dict(map(_range_and_weight, accept.lower().split(",")))
    return weights.get(wanted, 0.0) > 0 and weights[wanted] >= _quality(weights, default)


def _quality(weights: dict[str, float], media_type: str) -> float:
    """The weight of the most specific range that has the type."""
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((weights[each] for each in ranges if each in weights), 0.0)


def _range_and_weight(part: str) -> tuple[str, float]:
    media_range, *parameters = (each.strip() for each in part.split(";"))
    weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
    try:
        return media_range, float(weight)
    except ValueError:
        return media_range, 0.0
