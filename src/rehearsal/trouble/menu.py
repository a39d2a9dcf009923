"""Every trouble there is, and what a seed picks of them."""

import random
from collections.abc import Sequence

from rehearsal.trouble import home, network, render
from rehearsal.trouble.base import Trouble

NETWORK: tuple[type[Trouble], ...] = (
    network.ReplyLost,
    network.RequestLost,
    network.EnvReplyLost,
    network.EmptyAccepted,
    network.AcceptedAndDropped,
    network.PageInsteadOfJSON,
    network.PagesOnReads,
    network.ServerErrors,
    network.ErrorAfterEffect,
    network.TooManyRequests,
    network.TooManyWithoutHint,
    network.NotFoundForAMoment,
    network.ConflictOnDeploy,
    network.GoneOnDeploy,
    network.TruncatedAnswers,
    network.TruncatedReply,
    network.SlowReply,
    network.SlowReads,
    network.UnorderedLists,
    network.StaleLists,
    network.UnknownStatuses,
)
RENDER: tuple[type[Trouble], ...] = (
    render.ForeignDeploy,
    render.ForeignEnv,
    render.AutodeployOn,
    render.ServiceRenamed,
    render.ServiceSuspended,
    render.ServiceDeleted,
    render.KeyRevoked,
    render.TagMoved,
    render.BuildFails,
    render.UpdateFails,
    render.DeployHangs,
    render.DeployIsSlow,
    render.BadInOnePhase,
    render.BadAtEnterprise,
    render.RollbackFails,
    render.ArtifactGone,
)
HOME: tuple[type[Trouble], ...] = (
    home.Restarts,
    home.ClockForward,
    home.ClockBack,
    home.CommitFails,
    home.HalfWrittenConfig,
    home.WindowCloses,
    home.PauseAll,
    home.RolloutPaused,
    home.CustomerHeld,
    home.TwoOperators,
    home.ApprovalReplayed,
    home.CustomerAsksBack,
)
BAD_VERSIONS: tuple[type[Trouble], ...] = (
    render.BadAtOnce,
    render.BadAfterAWhile,
    render.BadStart,
    render.BadBuild,
)
"""Each ends the release, so it comes alone or with troubles that come at once."""
ALL = (*NETWORK, *RENDER, *HOME, *BAD_VERSIONS)


def pick(seed: int) -> Sequence[Trouble]:
    """What a seed picks: some of each kind; now and then a bad version alone, or nothing at all."""
    chance = random.Random(f"menu:{seed}")  # noqa: S311 - the same seed gives the same troubles
    if chance.random() < 0.08:
        return (chance.choice(BAD_VERSIONS)(),)
    kinds = [(NETWORK, 2), (RENDER, 1), (HOME, 2)]
    return tuple(one() for kind, count in kinds for one in chance.sample(kind, chance.randrange(count + 1)))
