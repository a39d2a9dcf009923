"""Who joins a rollout that runs, and who leaves it: by the rule that its plan states."""

from dataclasses import replace

from securewatch.rollout.model import Member, MemberState, ReleasePlan
from securewatch.rollout.roster import LEFT, has_ended, join, leave, with_joined
from tests.unit.rollout.release import EVERYBODY, PLAN, day, decided, members, part, phase, rollout, started, verified

STARTUP = PLAN.phase("startup")
GONE = replace(members()["alfa"], state=MemberState.SKIPPED, detail=LEFT)


def files_with(name: str, slug: str = "newco", **changes: object) -> ReleasePlan:
    """What the files say of one new customer: alone in its phase."""
    return replace(PLAN, phases=(phase(name, 0, 0, part(slug, **changes)),))


def asked(**states: Member | MemberState) -> dict[str, Member]:
    return {slug: replace(one, asked=True) for slug, one in members(**states).items()}


def test_who_comes_joins_its_phase_in_a_batch_after_the_last() -> None:
    (found,) = join(rollout(), PLAN, asked(), latest=files_with("startup"), now=day(3))

    assert (found.slug, found.phase, found.batch, found.state) == ("newco", "startup", 3, MemberState.PENDING)
    assert (found.asked, found.since, found.joined) == (True, day(3), part("newco", 3))


def test_who_is_a_member_already_does_not_join() -> None:
    assert join(rollout(), PLAN, members(), latest=PLAN, now=day(3)) == ()


def test_a_phase_whose_days_are_over_and_whose_customers_are_through_takes_nobody_in() -> None:
    through = asked(alfa=MemberState.DONE, bravo=MemberState.VERIFIED, coco=MemberState.SKIPPED)

    assert not has_ended(rollout(), STARTUP, through, day(7.9))
    assert not has_ended(rollout(), STARTUP, asked(alfa=MemberState.RUNNING), day(9))
    assert has_ended(rollout(), STARTUP, through, day(8))
    (late,) = join(rollout(), PLAN, through, latest=files_with("startup"), now=day(8))
    assert (late.state, late.detail) == (MemberState.SKIPPED, "came after startup had ended: gets the next release")


def test_who_comes_is_asked_for_only_where_everybody_of_the_phase_was() -> None:
    rows = asked() | {"bravo": replace(members()["bravo"], asked=False)}
    rows["coco"] = replace(members()["coco"], asked=False, state=MemberState.SKIPPED)

    (startup,) = join(rollout(), PLAN, rows, latest=files_with("startup"), now=day(3))
    (demo,) = join(rollout(), PLAN, rows, latest=files_with("demo"), now=day(3))

    assert (startup.asked, demo.asked) == (False, True)


def test_who_may_not_get_the_version_joins_as_left_out() -> None:
    latest = files_with("startup", left_out="not allowed", code="SW405")

    (found,) = join(rollout(), PLAN, asked(), latest=latest, now=day(3))

    assert (found.state, found.batch, found.code, found.detail) == (MemberState.SKIPPED, 0, "SW405", "not allowed")


def test_nobody_joins_a_phase_that_the_plan_has_not() -> None:
    assert join(rollout(), PLAN, asked(), latest=files_with("gold"), now=day(3)) == ()


def test_who_waits_and_went_is_skipped_and_what_is_under_way_finishes() -> None:
    rows = asked(alfa=MemberState.RUNNING, bravo=MemberState.VERIFIED, demo=MemberState.FAILED)
    stay = set(EVERYBODY) - {"alfa", "bravo", "demo", "coco"}

    (found,) = leave(rollout(), PLAN, rows, stay, now=day(2))

    assert (found.slug, found.state, found.detail) == ("coco", MemberState.SKIPPED, LEFT)


def test_who_is_back_waits_again_unless_the_phase_has_ended() -> None:
    rows = asked(alfa=GONE, bravo=MemberState.DONE, coco=MemberState.DONE)

    (early,) = leave(rollout(), PLAN, rows, EVERYBODY, now=day(7))
    (late,) = leave(rollout(), PLAN, rows, EVERYBODY, now=day(8))

    assert (early.state, early.detail) == (MemberState.PENDING, "")
    assert (late.state, late.detail.startswith("came after startup")) == (MemberState.SKIPPED, True)
    assert leave(rollout(), PLAN, asked(alfa=late), EVERYBODY, now=day(8)) == ()


def test_who_joined_goes_when_the_batches_before_are_verified() -> None:
    rows = asked(demo=verified("demo", day(0.1)))
    rows |= {one.slug: one for one in join(rollout(), PLAN, rows, latest=files_with("startup"), now=day(0.5))}
    plan = with_joined(PLAN, rows.values())
    done = {slug: verified(slug, day(2)) for slug in ("alfa", "bravo", "coco")}

    before, after = decided(day(1), rows, plan=plan), decided(day(3), rows | done, plan=plan)

    assert (started(before), started(after)) == (["alfa", "bravo"], ["newco"])
    assert (plan.hash, plan.phase("startup").batch_count) == (PLAN.hash, 3)
    assert before.waiting["newco"].what == "batch 1 of startup, which is not verified yet"
    assert with_joined(PLAN, members().values()) is PLAN
