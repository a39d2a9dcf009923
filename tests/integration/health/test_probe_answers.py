"""What customers' sites say of their version and their database, over a real server on loopback."""

import pytest

from securewatch.core.clock import RealClock
from securewatch.health.probe import DatabaseState, Prober, ProbeTarget, VersionState
from tests.fakes.site import Answer, Site, html_answer, json_answer, redirect_to, running_site

COMMIT = "9c1e2ab4" * 5
SPA = html_answer("<html><body>one page for every path</body></html>")


def prober() -> Prober:
    return Prober(clock=RealClock(), timeout_seconds=0.3)


def backend(site: Site) -> ProbeTarget:
    return ProbeTarget("backend", site.url)


def frontend(site: Site) -> ProbeTarget:
    return ProbeTarget("frontend", site.url)


# --- versions of a backend --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "state", "version"),
    [
        (f'{{"version": "v1.1.0", "commit": "{COMMIT}"}}', VersionState.MATCH, "v1.1.0"),
        ('{"version": "1.1.0"}', VersionState.MATCH, "1.1.0"),
        ('{"version": "V1.1.0", "commit": null}', VersionState.MATCH, "V1.1.0"),
        (f'{{"version": " v1.1.0 ", "commit": "{COMMIT[:7]}"}}', VersionState.MATCH, "v1.1.0"),
        (f'{{"version": "v1.1.0", "commit": "{COMMIT[:8].upper()}"}}', VersionState.MATCH, "v1.1.0"),
        ('{"version": "v1.0.0"}', VersionState.MISMATCH, "v1.0.0"),
        ('{"version": "v1.1.0-rc.1"}', VersionState.MISMATCH, "v1.1.0-rc.1"),
        ('{"version": "vv1.1.0"}', VersionState.MISMATCH, "vv1.1.0"),
        ('{"version": "v1.1.0", "commit": "51d00fe"}', VersionState.MISMATCH, "v1.1.0"),
        (f'{{"version": "v1.1.0", "commit": "{COMMIT[:6]}"}}', VersionState.MISMATCH, "v1.1.0"),
        ('{"version": "v1.1.0", "commit": "unknown"}', VersionState.MISMATCH, "v1.1.0"),
        ("{}", VersionState.NOT_REPORTED, None),
        ('{"version": ""}', VersionState.NOT_REPORTED, None),
        ('{"version": 1.1}', VersionState.NOT_REPORTED, None),
        ('{"version": {"tag": "v1.1.0"}}', VersionState.NOT_REPORTED, None),
        ('["v1.1.0"]', VersionState.NOT_REPORTED, None),
        ('{"version": "v1.1.0"', VersionState.NOT_REPORTED, None),
        ("<html>v1.1.0</html>", VersionState.NOT_REPORTED, None),
        ("", VersionState.NOT_REPORTED, None),
    ],
)
async def test_what_a_backend_says_of_its_version(text: str, state: VersionState, version: str | None) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/version", json_answer(text))

        answer = await probe.version(backend(site), expected_version="v1.1.0", expected_commit=COMMIT)

        assert (answer.state, answer.reported_version) == (state, version)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(404), VersionState.NOT_REPORTED),
        (Answer(410), VersionState.NOT_REPORTED),
        (Answer(500), VersionState.UNREACHABLE),
        (Answer(503), VersionState.UNREACHABLE),
        (Answer(resets=True), VersionState.UNREACHABLE),
        (Answer(delay_seconds=60.0), VersionState.UNREACHABLE),
    ],
)
async def test_a_missing_version_page_is_told_from_a_broken_one(answer: Answer, state: VersionState) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/version", answer)

        assert (await probe.version(backend(site), expected_version="v1.1.0")).state is state


async def test_an_expected_commit_too_short_to_stand_for_one_does_not_match() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/version", json_answer(f'{{"version": "v1.1.0", "commit": "{COMMIT}"}}'))

        answer = await probe.version(backend(site), expected_version="v1.1.0", expected_commit=COMMIT[:6])

        assert answer.state is VersionState.MISMATCH


async def test_what_a_site_reports_is_cut_to_what_can_be_shown() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/version", json_answer('{"version": "\\u001b[31m' + "v" * 5000 + '"}'))

        answer = await probe.version(backend(site), expected_version="v1.1.0")

        assert answer.reported_version == "[31m" + "v" * 96


# --- versions of a frontend -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "file", "state"),
    [
        ('<meta name="version" content="v1.1.0">', json_answer('{"version": "v9.9.9"}'), VersionState.MATCH),
        ('<meta name="version" content="1.1.0">', Answer(404), VersionState.MATCH),
        ('<meta name="version" content="v1.0.0"> v1.1.0', json_answer('{"version": "v1.1.0"}'), VersionState.MISMATCH),
        ("<p>no word</p>", json_answer('{"version": "v1.1.0"}'), VersionState.MATCH),
        ("<p>v1.1.0</p>", json_answer('{"version": "v1.0.0"}'), VersionState.MISMATCH),
        ("<p>no word</p>", json_answer(f'{{"version": "v1.1.0", "commit": "{"0" * 40}"}}'), VersionState.MISMATCH),
        ("<p>running v1.1.0.</p>", Answer(404), VersionState.MATCH),
        ("<p>running v1.1.0.</p>", SPA, VersionState.MATCH),
        ("<p>running v1.1.0.</p>", Answer(500), VersionState.MATCH),
        ("<p>running v1.1.0-rc.1</p>", Answer(404), VersionState.NOT_REPORTED),
        ("<p>no word</p>", Answer(404), VersionState.NOT_REPORTED),
        ("<p>no word</p>", SPA, VersionState.NOT_REPORTED),
        ("<p>no word</p>", redirect_to("/"), VersionState.NOT_REPORTED),
        ("<p>no word</p>", json_answer("{}"), VersionState.NOT_REPORTED),
        ("<p>no word</p>", Answer(500), VersionState.UNREACHABLE),
        ("<p>no word</p>", Answer(resets=True), VersionState.UNREACHABLE),
    ],
)
async def test_a_frontend_says_its_version_in_a_meta_else_a_file_else_a_word(
    page: str, file: Answer, state: VersionState
) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/", html_answer(page))
        site.answer("/version.json", file)

        answer = await probe.version(frontend(site), expected_version="v1.1.0", expected_commit=COMMIT)

        assert answer.state is state


@pytest.mark.parametrize("answer", [Answer(404), Answer(500), Answer(resets=True)])
async def test_a_frontend_without_a_front_page_is_unreachable(answer: Answer) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/", answer)
        site.answer("/version.json", json_answer('{"version": "v1.1.0"}'))

        assert (await probe.version(frontend(site), expected_version="v1.1.0")).state is VersionState.UNREACHABLE


async def test_without_an_expected_version_the_reported_one_is_learned() -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/version", json_answer('{"version": "v1.0.0"}'))
        site.answer("/", html_answer("<p>a page</p>"))

        assert (await probe.version(backend(site), expected_version="")).reported_version == "v1.0.0"
        assert (await probe.version(frontend(site), expected_version="")).state is VersionState.NOT_REPORTED


# --- databases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "health", "state"),
    [
        (json_answer('{"status": "ok"}'), Answer(404), DatabaseState.OK),
        (json_answer('{"database": "connected"}'), Answer(404), DatabaseState.OK),
        (json_answer('{"database": {"status": "ok"}}'), Answer(404), DatabaseState.OK),
        (Answer(204), Answer(404), DatabaseState.OK),
        (json_answer('{"status": "error"}'), Answer(404), DatabaseState.FAILED),
        (json_answer('{"status": "ok", "database": "disconnected"}'), Answer(404), DatabaseState.FAILED),
        (json_answer('{"database": {"status": "down"}}'), Answer(404), DatabaseState.FAILED),
        (json_answer('{"database": false}'), Answer(404), DatabaseState.FAILED),
        (json_answer('{"status": "ok"}', status=503), json_answer('{"database": "ok"}'), DatabaseState.FAILED),
        (Answer(resets=True), json_answer('{"database": "ok"}'), DatabaseState.FAILED),
        (Answer(404), json_answer('{"database": "ok"}'), DatabaseState.OK),
        (Answer(404), json_answer('{"database": "unreachable"}', status=503), DatabaseState.FAILED),
        (Answer(404), json_answer('{"status": "ok"}'), DatabaseState.NOT_REPORTED),
        (Answer(404), json_answer('{"database": null}'), DatabaseState.NOT_REPORTED),
        (Answer(404), Answer(resets=True), DatabaseState.FAILED),
        (Answer(404), SPA, DatabaseState.NOT_REPORTED),
        (SPA, SPA, DatabaseState.NOT_REPORTED),
        (SPA, json_answer('{"database": "down"}'), DatabaseState.FAILED),
        (SPA, json_answer('{"database": "connected"}'), DatabaseState.OK),
    ],
)
async def test_what_a_backend_says_of_its_database(page: Answer, health: Answer, state: DatabaseState) -> None:
    async with running_site() as site, prober() as probe:
        site.answer("/api/health/database", page)
        site.answer("/api/health", health)

        assert (await probe.database(backend(site))).state is state


async def test_a_frontend_is_not_asked_for_a_database() -> None:
    async with running_site() as site, prober() as probe:
        assert (await probe.database(frontend(site))).state is DatabaseState.NOT_REPORTED
        assert site.requests == []
