"""Templates of env vars: what is filled in, and that no `${` ever comes out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securewatch.config.templates import expand, is_release_template, placeholders, secret_variable

VALUES = {"DEPLOYMENT_VERSION": "v1.1.0", "CUSTOMER_SLUG": "acme-corp"}


def test_known_placeholders_are_replaced() -> None:
    assert expand("${CUSTOMER_SLUG}@${DEPLOYMENT_VERSION}", VALUES).text == "acme-corp@v1.1.0"


def test_one_unknown_placeholder_leaves_no_text_at_all() -> None:
    found = expand("${CUSTOMER_SLUG}:${CUSTOMER_JWT_SECRET}", VALUES)

    assert (found.text, found.unknown) == (None, ("CUSTOMER_JWT_SECRET",))


@pytest.mark.parametrize("template", ["${", "a ${CUSTOMER_SLUG", "${${CUSTOMER_SLUG}}", "${CUSTOMER_SLUG}${"])
def test_a_broken_placeholder_leaves_no_text(template: str) -> None:
    assert expand(template, VALUES).text is None


def test_a_value_that_brings_a_placeholder_with_it_leaves_no_text() -> None:
    assert expand("${CUSTOMER_SLUG}", {"CUSTOMER_SLUG": "${DATABASE_URL}"}).text is None


def test_a_dollar_alone_is_a_plain_text() -> None:
    assert expand("costs $5 {now}", VALUES).text == "costs $5 {now}"


@given(
    st.lists(st.sampled_from(["${", "}", "$", "{", "CUSTOMER_SLUG", "X", "${CUSTOMER_SLUG}"]), max_size=8).map("".join)
)
def test_no_unexpanded_placeholder_comes_out(template: str) -> None:
    assert "${" not in (expand(template, VALUES).text or "")


def test_placeholders_are_named_once_in_their_order() -> None:
    assert placeholders("${B}${A}${B}") == ("B", "A")


@pytest.mark.parametrize(
    ("template", "is_release"),
    [
        ("${DEPLOYMENT_VERSION}", True),
        ("x-${DEPLOYMENT_PHASE}", True),
        ("${CUSTOMER_SLUG}", False),
        ("production", False),
    ],
)
def test_only_templates_with_the_version_or_phase_change_with_a_release(template: str, is_release: bool) -> None:
    assert is_release_template(template) is is_release


def test_a_customers_secret_has_a_variable_of_its_own() -> None:
    assert secret_variable("acme-corp", "JWT_SECRET") == "SECUREWATCH_SECRET_ACME_CORP_JWT_SECRET"
