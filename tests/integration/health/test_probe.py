"""The prober against a real server on loopback: whatever a site does is a value, in bounded time and memory."""

import asyncio
import gzip
import time
from datetime import UTC, datetime

import httpx2
import pytest

from securewatch.core.clock import RealClock
from securewatch.health.probe import (
    BODY_BYTES_MAX,
    CONCURRENT_PROBES_MAX,
    Prober,
    ProbeTarget,
    VersionState,
)
from tests.fakes.clock import ManualClock
from tests.fakes.site import Answer, Site, html_answer, json_answer, redirect_to, running_site

TIMEOUT_SECONDS = 0.3


def prober(timeout_seconds: float = TIMEOUT_SECONDS) -> Prober:
    return Prober(clock=RealClock(), timeout_seconds=timeout_seconds)


def backend(site: Site) -> ProbeTarget:
    return ProbeTarget("backend", site.url)


def frontend(site: Site) -> ProbeTarget:
    return ProbeTarget("frontend", site.url)


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        json_answer('{"status": "healthy"}'),
        json_answer('{"status": "degraded"}'),
        json_answer("{}"),
        json_answer('{"status": 3}'),
        json_answer('["unhealthy"]'),
        json_answer('{"status": "unheal'),
        json_answer("9" * 10_000),
        json_answer("[" * 100_000),
        html_answer("<p>status: down</p>"),
        Answer(200, b"\xff\xfe\x00\x00"),
        Answer(204),
        Answer(299, b"ok"),
    ],
)
async def test_a_2xx_without_a_bad_json_status_is_ok(answer: Answer) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", answer)

        sample = await probe.sample(backend(site))

        assert (sample.ok, sample.reason) == (True, "")
        assert sample.response_ms is not None
        assert 0 < sample.response_ms < TIMEOUT_SECONDS * 1000


@pytest.mark.parametrize("word", ["unhealthy", "error", "down", "DOWN", " Error "])
async def test_a_bad_json_status_is_a_failure(word: str) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", json_answer(f'{{"status": "{word}"}}'))

        sample = await probe.sample(backend(site))

        assert not sample.ok
        assert "unhealthy" in sample.reason


@pytest.mark.parametrize("status", [301, 400, 401, 404, 429, 500, 502, 503, 599])
async def test_a_status_other_than_2xx_is_a_failure_with_a_time(status: int) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", json_answer('{"status": "healthy"}', status=status))

        sample = await probe.sample(backend(site))

        assert not sample.ok
        assert f"status {status}" in sample.reason
        assert sample.response_ms is not None


async def test_the_answers_body_never_shows_in_a_reason() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", json_answer('{"status": "error", "detail": "canary-1"}', status=500))

        sample = await probe.sample(backend(site))

        assert "canary-1" not in repr(sample)


async def test_a_frontend_is_asked_for_its_front_page_and_its_json_is_not_judged() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/", json_answer('{"status": "down"}'))

        sample = await probe.sample(frontend(site))

        assert sample.ok
        assert site.paths() == ["/"]


async def test_paths_are_appended_to_the_url_and_not_resolved() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/base/api/health", json_answer("{}"))
        target = ProbeTarget("backend", f"{site.url}/base/", "api/health")

        assert (await probe.sample(target)).ok


async def test_a_sample_is_stamped_with_product_time() -> None:
    start = datetime(2026, 11, 22, 8, tzinfo=UTC)
    async with running_site() as site, Prober(clock=ManualClock(start)) as probe:
        site.answer("/", Answer())

        assert (await probe.sample(frontend(site))).at == start


# --- time-outs, resets and bounds -------------------------------------------------------------------------------------


async def test_a_silent_site_times_out_after_real_seconds_and_the_sample_has_that_time() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", Answer(delay_seconds=60.0))
        begun = time.monotonic()

        sample = await probe.sample(backend(site))

        assert TIMEOUT_SECONDS <= time.monotonic() - begun < TIMEOUT_SECONDS + 1.0
        assert (sample.ok, sample.reason) == (False, "no answer within 0.3 s")
        assert sample.response_ms is not None
        assert TIMEOUT_SECONDS * 1000 <= sample.response_ms < TIMEOUT_SECONDS * 1000 + 1000


async def test_a_trickling_body_is_bound_by_the_time_out_as_a_whole() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", Answer(body=b"x" * 10_000, trickle_seconds=0.02))
        begun = time.monotonic()

        sample = await probe.sample(backend(site))

        assert time.monotonic() - begun < TIMEOUT_SECONDS + 1.0
        assert not sample.ok


async def test_the_response_time_includes_a_slow_answer() -> None:
    async with running_site() as site, prober(5.0) as probe:
        site.answer("/api/health", Answer(body=b"{}", delay_seconds=0.15))

        sample = await probe.sample(backend(site))

        assert sample.ok
        assert sample.response_ms is not None
        assert 150 <= sample.response_ms < 2000


@pytest.mark.parametrize("answer", [Answer(resets=True), Answer(body=b"{}", truncates=True)])
async def test_a_cut_connection_is_a_failure_without_a_time(answer: Answer) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", answer)

        sample = await probe.sample(backend(site))

        assert (sample.ok, sample.response_ms) == (False, None)
        assert sample.reason.startswith("no answer (")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1", "", "no-url", "ftp://127.0.0.1/", "http://[::1", "http://127.0.0.1:99999", "http://\x00/"],
)
async def test_a_url_at_which_nothing_answers_is_a_failure_and_no_error(url: str) -> None:
    async with prober() as probe:
        sample = await probe.sample(ProbeTarget("backend", url))

    assert (sample.ok, sample.response_ms) == (False, None)


async def test_an_answer_that_is_not_http_is_a_failure() -> None:
    async def answer_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer_nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, prober() as probe:
        sample = await probe.sample(ProbeTarget("backend", f"http://127.0.0.1:{port}"))

    assert (sample.ok, sample.response_ms) == (False, None)


async def test_of_a_huge_body_only_the_beginning_is_read_and_its_status_counts() -> None:
    async with running_site() as site, prober(10.0) as probe:
        site.answer("/api/health", Answer(body=b"x" * 65536, repeats_body=1024))

        sample = await probe.sample(backend(site))

        assert sample.ok
        assert site.bytes_sent < 32 * BODY_BYTES_MAX


async def test_a_small_body_that_unpacks_to_a_huge_one_is_cut_too() -> None:
    bomb = gzip.compress(b"\0" * (64 * BODY_BYTES_MAX))
    async with running_site() as site, prober(10.0) as probe:
        site.answer("/api/version", Answer(200, bomb, {"Content-Encoding": "gzip"}))

        answer = await probe.version(backend(site), expected_version="v1.1.0")

        assert answer.state is VersionState.NOT_REPORTED


async def test_a_body_that_is_not_what_its_encoding_says_is_a_failure() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", Answer(200, b"plain", {"Content-Encoding": "gzip"}))

        assert not (await probe.sample(backend(site))).ok


async def test_no_more_probes_run_at_once_than_allowed_and_waiting_for_a_turn_is_not_counted() -> None:
    async with running_site() as site, prober(2.0) as probe:
        site.answer("/api/health", Answer(delay_seconds=0.1))

        samples = await asyncio.gather(*(probe.sample(backend(site)) for _ in range(CONCURRENT_PROBES_MAX * 3)))

        assert all(sample.ok for sample in samples)
        assert site.open_most <= CONCURRENT_PROBES_MAX
        assert len(site.requests) == CONCURRENT_PROBES_MAX * 3


async def test_every_sample_opens_a_connection_of_its_own() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", Answer())

        for _ in range(3):
            assert (await probe.sample(backend(site))).ok

        assert site.connections == 3


# --- redirects, cookies, proxies --------------------------------------------------------------------------------------


async def test_a_redirect_is_not_followed_and_fails() -> None:
    async with running_site() as site, running_site() as other, prober() as probe:
        site.answer("/api/health", redirect_to(f"{other.url}/api/health"))
        other.answer("/api/health", json_answer('{"status": "healthy"}'))

        sample = await probe.sample(backend(site))

        assert (sample.ok, sample.reason) == (False, "status 302, and redirects are not followed")
        assert other.requests == []


async def test_a_redirected_version_page_is_not_followed() -> None:
    async with running_site() as site, running_site() as other, prober() as probe:
        site.answer("/api/version", redirect_to(f"{other.url}/api/version"))
        other.answer("/api/version", json_answer('{"version": "v1.1.0"}'))

        answer = await probe.version(backend(site), expected_version="v1.1.0")

        assert answer.state is VersionState.UNREACHABLE
        assert other.requests == []


async def test_nothing_secret_is_sent_and_cookies_are_not_kept() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health", Answer(headers={"Set-Cookie": "session=1; Path=/"}))

        await probe.sample(backend(site))
        await probe.sample(backend(site))

        for request in site.requests:
            assert {"authorization", "cookie"}.isdisjoint(request.headers)
        assert site.requests[0].headers["user-agent"] == "securewatch-probe"


async def test_a_loopback_site_is_asked_directly_whatever_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with running_site() as site, prober() as probe:
        site.answer("/", Answer())

        assert (await probe.sample(frontend(site))).ok


async def test_a_given_transport_carries_every_request() -> None:
    transport = httpx2.MockTransport(lambda request: httpx2.Response(200, json={"seen": str(request.url)}))
    async with Prober(transport, clock=RealClock()) as probe:
        assert (await probe.sample(ProbeTarget("backend", "https://acme-api.example"))).ok


def test_a_third_kind_of_service_is_refused() -> None:
    with pytest.raises(ValueError, match="worker"):
        ProbeTarget("worker", "http://127.0.0.1")
