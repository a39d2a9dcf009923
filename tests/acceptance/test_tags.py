"""A new version from its tag to a customer, through the script of the runbooks."""

import re
from pathlib import Path

from localrender.vendor import git
from tests.acceptance.given import Place, Ran, platform

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


def test_a_commit_of_main_is_deployed_to_demo_by_its_described_name(tmp_path: Path) -> None:
    with platform(tmp_path / "platform", "--apps", "process") as render:
        place, repo = Place.make(tmp_path / "project", render), render.repo
        (repo / ".gitattributes").write_text("release.json export-subst\n")
        (repo / "release.json").write_text('{"version": "$Format:%(describe:tags)$"}\n')
        git(repo, "add", "--all")
        git(repo, "commit", "--quiet", "--message", "after the candidate")
        name = git(repo, "describe", "--tags").decode().strip()

        ran = script(place, "deploy", "--version", name, "--customer", "demo").ended(0)
        place.refuses(1, "SW405", "deploy", "--version", name, "--customer", "acme-corp", script=SCRIPT)
        env = render.service("srv-demo-backend-mno345")["env"]

    assert re.fullmatch(r"v1\.3\.0-rc\.1-1-g[0-9a-f]+", name)
    assert f"✔ live  demo  {name} is verified" in ran.out
    assert env["VERSION_TAG"] == name
