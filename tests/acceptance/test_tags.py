"""A new version from its tag to a customer, through the script of the runbooks."""

import re

import pytest

from tests.acceptance.given import Place, Ran

pytestmark = pytest.mark.xdist_group("acceptance_tags")

SCRIPT = "tag-based-deploy.sh"


def script(place: Place, *words: str) -> Ran:
    """One command through the script."""
    return place.run(*words, script=SCRIPT)


def test_a_version_is_tagged_and_deployed(place: Place) -> None:
    words = ("create-tag", "--version", "v1.1.1", "--commit", "v1.1.0", "--message", "Repairs")

    dry = script(place, *words, "--dry-run").ended(0)
    made = script(place, *words, "-o", "json").ended(0).data
    again = place.refuses(7, "SW209", *words, script=SCRIPT)
    script(place, "validate", "--version", "v1.1.1").ended(0)

    assert re.fullmatch(r"v1\.1\.1 is to be an annotated tag at [0-9a-f]{40}\ndry run: .*\n", dry.out)
    assert (made["tag"], made["message"], made["pushed"]) == ("v1.1.1", "Repairs", False)
    assert "v1.1.2 (patch)" in again.err


def test_the_everyday_words_say_the_same(place: Place) -> None:
    dry = place.run("version", "create", "v1.4.0", "--dry-run").ended(0)

    assert dry.out == script(place, "create-tag", "--version", "v1.4.0", "--dry-run").ended(0).out
    place.refuses(2, "SW210", "version", "create", "v1.4.1")
    place.refuses(2, "SW204", "version", "create", "--", "--push")


def test_deploy_is_the_deploy_of_a_customer(place: Place) -> None:
    ran = script(place, "deploy", "--version", "v1.1.0", "--customer", "acme-corp").ended(0)

    assert "✔ live  acme-corp  v1.1.0 is verified" in ran.out
    assert place.platform.service("srv-acme-backend-abc123")["env"]["VERSION_TAG"] == "v1.1.0"
