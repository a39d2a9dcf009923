"""The kinds of values that the files hold, as pydantic types that say what they accept. Not the files themselves."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    StrictInt,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError, core_schema

from securewatch.config import quantity
from securewatch.config.address import HOST_ACCEPTED, parse_host
from securewatch.config.extras import FailureBudget
from securewatch.config.quantity import BatchSize, TimeRange
from securewatch.core.ids import is_safe_id

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CUSTOMER_PREFERENCE = "customer_preference"
POLICY_WORDS = ("demo", "startup", "standard", "enterprise")
PHASE_WORDS = {
    "demo": "demo",
    "startup": "startup",
    "standard": "standard",
    "enterprise": "enterprise",
    "startup_early_access": "startup",
    "standard_rollout": "standard",
    "enterprise_rollout": "enterprise",
}
"""Both names of each phase, and the short one."""


class FileModel(BaseModel):
    """A part of a file; unknown keys are kept. With `refuses_near_misses` a misspelt key is an error."""

    # defer_build: only the five whole files are validated by themselves; their parts need no validator of their own
    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True, defer_build=True)
    refuses_near_misses: ClassVar[bool] = False


def refusal(accepted: str) -> PydanticCustomError:
    """The error of a value that is not what `accepted` says."""
    return PydanticCustomError("accepted", "{accepted}", {"accepted": accepted})


def _text(parse: Callable[[str], Any], accepted: str) -> PlainValidator:
    """A validator for texts that the parser takes; never for null, numbers or blanks."""

    def check(value: object) -> Any:
        if not isinstance(value, str) or not value.strip():
            raise refusal(accepted)
        try:
            return parse(value)
        except ValueError as error:
            raise refusal(str(error)) from error

    return PlainValidator(check)


def _schema(accepted: str, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "$comment": accepted, **more})


class _Given:
    """Refuses null and blanks for a key that may be absent: nothing blank stands for a default (S12)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_given, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        shown = handler(schema)
        kinds = [one for one in shown.get("anyOf", ()) if one != {"type": "null"}]
        return kinds[0] if len(kinds) == 1 else shown


def _given(value: Any) -> Any:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise refusal("a value that is not blank; leave the key out for its default")
    return value


GIVEN = _Given()
"""For keys that may be absent, but not null or blank."""


def _timezone(text: str) -> str:
    if text == CUSTOMER_PREFERENCE:
        return text
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(TIMEZONE_ACCEPTED) from error
    return text


def _day(text: str) -> str:
    word = text.strip().lower()
    if word not in WEEKDAYS and word != "any":
        raise ValueError(DAY_ACCEPTED)
    return word


def _identifier(text: str) -> str:
    if not is_safe_id(text):
        raise ValueError(IDENTIFIER_ACCEPTED)
    return text


def _postgres_id(text: str) -> str:
    if not is_safe_id(text) or not text.startswith("dpg-"):
        raise ValueError(POSTGRES_ID_ACCEPTED)
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or any(mark in text for mark in " ?#\\\n\r\t"):
        raise ValueError(PATH_ACCEPTED)
    return text


def _positive_duration(text: str) -> timedelta:
    duration = quantity.parse_duration(text)
    if not duration:
        raise ValueError(POSITIVE_DURATION_ACCEPTED)
    return duration


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError(NAME_ACCEPTED)
    return text


def _phase_word(text: str) -> str:
    if text not in PHASE_WORDS:
        raise ValueError(PHASE_ACCEPTED)
    return PHASE_WORDS[text]


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(INSTANT_ACCEPTED) from error
    if instant.tzinfo is None:
        raise ValueError(INSTANT_ACCEPTED)
    return instant


def _failure_budget(value: object) -> FailureBudget:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return FailureBudget(count=value)
    if isinstance(value, str) and quantity.is_parsed_by(quantity.parse_percent, value):
        return FailureBudget(share=quantity.parse_percent(value))
    raise refusal(BUDGET_ACCEPTED)


def _texts(value: object) -> tuple[str, ...]:
    if isinstance(value, str) and value.strip():
        return (value,)
    if isinstance(value, Mapping):
        return tuple(f"{key}: {one}" for key, one in value.items())
    if isinstance(value, list) and all(isinstance(one, str) and one.strip() for one in value):
        return tuple(value)
    raise refusal("a text or a list of texts")


def _at_least(least: int) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise refusal(f"a whole number, {least} or more")
        return value

    return BeforeValidator(check)


DAY_ACCEPTED = "a weekday in English (`sunday`) or `any`"
TIMEZONE_ACCEPTED = f"an IANA name such as America/New_York, or `{CUSTOMER_PREFERENCE}`"
IDENTIFIER_ACCEPTED = "an id of letters, digits, `-` and `_`, such as srv-acme-backend-abc123"
POSTGRES_ID_ACCEPTED = "the id of a Render Postgres, such as dpg-acmecorp000000000000-a"
PATH_ACCEPTED = "a path that begins with one `/`, such as /api/health"
PHASE_ACCEPTED = "one of demo, startup, standard, enterprise (or a phase's long name)"
INSTANT_ACCEPTED = "an ISO 8601 instant with its offset, such as 2026-12-23T00:00:00+00:00"
BUDGET_ACCEPTED = "a number of customers, 0 or more, or a share such as 10_percent"
POSITIVE_DURATION_ACCEPTED = f"{quantity.DURATION_ACCEPTED}, above 0"
NAME_ACCEPTED = "a printable text that is not blank"

SAMPLES_MIN = 20
"""Fewer samples cannot show an error rate of 5 % (design: behaviour, before, during and after one deploy)."""
_DURATION_PATTERN = r"^[0-9]+(\.[0-9]+)?_(second|minute|hour|day)s?(_after_release)?$"

Name = Annotated[str, _text(_printable, NAME_ACCEPTED), _schema(NAME_ACCEPTED, minLength=1)]
Identifier = Annotated[str, _text(_identifier, IDENTIFIER_ACCEPTED), _schema(IDENTIFIER_ACCEPTED)]
Duration = Annotated[
    timedelta,
    _text(quantity.parse_duration, quantity.DURATION_ACCEPTED),
    _schema(quantity.DURATION_ACCEPTED, pattern=_DURATION_PATTERN),
]
PositiveDuration = Annotated[
    timedelta,
    _text(_positive_duration, POSITIVE_DURATION_ACCEPTED),
    _schema(POSITIVE_DURATION_ACCEPTED, pattern=_DURATION_PATTERN),
]
Share = Annotated[float, _text(quantity.parse_percent, quantity.PERCENT_ACCEPTED), _schema(quantity.PERCENT_ACCEPTED)]
Milliseconds = Annotated[
    float, _text(quantity.parse_response_ms, quantity.RESPONSE_ACCEPTED), _schema(quantity.RESPONSE_ACCEPTED)
]
Batches = Annotated[
    BatchSize, _text(quantity.parse_batch_size, quantity.BATCH_SIZE_ACCEPTED), _schema(quantity.BATCH_SIZE_ACCEPTED)
]
Hours = Annotated[
    TimeRange | None,
    _text(quantity.parse_time_range, quantity.TIME_RANGE_ACCEPTED),
    _schema(quantity.TIME_RANGE_ACCEPTED),
]
Day = Annotated[str, _text(_day, DAY_ACCEPTED), _schema(DAY_ACCEPTED)]
Timezone = Annotated[str, _text(_timezone, TIMEZONE_ACCEPTED), _schema(TIMEZONE_ACCEPTED)]
PostgresName = Annotated[str, _text(_postgres_id, POSTGRES_ID_ACCEPTED), _schema(POSTGRES_ID_ACCEPTED)]
URLPath = Annotated[str, _text(_path, PATH_ACCEPTED), _schema(PATH_ACCEPTED, pattern="^/")]
BaseURL = Annotated[str, _text(parse_host, HOST_ACCEPTED), _schema(HOST_ACCEPTED)]
PhaseWord = Annotated[str, _text(_phase_word, PHASE_ACCEPTED), _schema(PHASE_ACCEPTED)]
Instant = Annotated[datetime, _text(_instant, INSTANT_ACCEPTED), _schema(INSTANT_ACCEPTED, format="date-time")]
Budget = Annotated[
    FailureBudget,
    PlainValidator(_failure_budget),
    WithJsonSchema({"type": ["integer", "string"], "minimum": 0, "$comment": BUDGET_ACCEPTED}),
]
Texts = Annotated[
    tuple[str, ...],
    PlainValidator(_texts),
    WithJsonSchema({"type": ["array", "string", "object"], "items": {"type": "string"}}),
]
SampleCount = Annotated[StrictInt, _at_least(SAMPLES_MIN), WithJsonSchema({"type": "integer", "minimum": SAMPLES_MIN})]
PositiveCount = Annotated[StrictInt, _at_least(1), WithJsonSchema({"type": "integer", "minimum": 1})]
