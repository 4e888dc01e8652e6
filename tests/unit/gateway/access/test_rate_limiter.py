"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.access.rate_limiter import RateLimiter
from gateway.services import Services
from tests.unit.gateway.conftest import Api
from tests.unit.gateway.samples import DAW, WEB, bearer


class Clock:
    """A clock that the test advances."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_the_rate_applies() -> None:
    clock = Clock()
    rates = RateLimiter(rate=2, burst=3, clock=clock)
    assert [rates.take("daw") for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    clock.now += 0.5
    assert [rates.take("daw") for _ in range(2)] == [0, 0.5]
    clock.now += 3600
    assert [rates.take("daw") for _ in range(4)] == [0, 0, 0, 0.5]


def test_each_name_has_its_own_bucket() -> None:
    rates = RateLimiter(rate=1, burst=1, clock=Clock())
    assert [rates.take(name) for name in ("daw", "web", "daw")] == [0, 0, 1]


@given(
    st.floats(0.1, 1000),
    st.integers(1, 50),
    st.lists(st.floats(0, 10, allow_subnormal=False), min_size=1, max_size=200),
)
def test_requests_never_exceed_burst_and_rate(rate: float, burst: int, pauses: list[float]) -> None:
    clock = Clock()
    rates = RateLimiter(rate, burst, clock)
    taken, began = 0, clock.now
    for pause in pauses:
        clock.now += pause
        wait = rates.take("daw")
        taken += wait == 0
        assert 0 <= wait <= 1 / rate + 1e-9
        assert taken <= burst + rate * (clock.now - began) + 1e-6


async def test_too_many_requests_are_a_429_with_retry_after(keyed: Api, services: Services) -> None:
    services.rate_limiter = RateLimiter(rate=0.1, burst=2)
    for status in (200, 200, 429):
        async with keyed.get("/api/v1/jobs", headers=bearer(DAW)) as response:
            assert response.status == status
    assert response.content_type == "application/problem+json"
    assert 1 <= int(response.headers["Retry-After"]) <= 10
    async with keyed.get("/api/v1/jobs", headers=bearer(WEB)) as response:
        assert response.status == 200


async def test_public_paths_and_unknown_keys_take_no_tokens(keyed: Api, services: Services) -> None:
    services.rate_limiter = RateLimiter(rate=0.1, burst=1)
    for _ in range(3):
        async with keyed.get("/health/live", headers=bearer(DAW)) as response:
            assert response.status == 200
        async with keyed.get("/api/v1/jobs", headers=bearer(DAW[1:])) as response:
            assert response.status == 401
    async with keyed.get("/api/v1/jobs", headers=bearer(DAW)) as response:
        assert response.status == 200


async def test_websocket_frames_over_the_rate_wait(keyed: Api, services: Services) -> None:
    clock = Clock()
    services.rate_limiter = RateLimiter(rate=100, burst=3, clock=clock)
    async with keyed.ws_connect("/ws", headers=bearer(DAW)) as socket:
        for _ in range(4):
            await socket.send_str('{"type": "ping"}')
        # The handshake took one token, so two frames pass at once, and the others after the clock advances.
        answered = [await socket.receive_json(timeout=2) for _ in range(2)]
        clock.now += 1
        answered += [await socket.receive_json(timeout=2) for _ in range(2)]
        assert answered == [{"type": "pong"}] * 4
