"""The catalogue of audit actions: what each line of the audit log tells. The reference page is made from it.

An action is a noun and what befell it. The stages and states stand here once more in words, so that a new one cannot
appear without an explanation (the unit test compares them with the enums).
"""

from securewatch.deploy.model import RunKind, Stage
from securewatch.deploy.view import EffectState
from securewatch.rollout.model import MemberState, RolloutState
from securewatch.store.outbox import NoticeState

_REQUESTS = {
    RunKind.DEPLOY: "A person asked for a deploy; with version, commit, generation and reason.",
    RunKind.ROLLBACK: "A person asked to take a customer back.",
    RunKind.RESTORE: "A person asked to take a customer back with its database; with the backup.",
    RunKind.ENV: "A person asked for the env vars of a version.",
}
_STAGES = {
    Stage.QUEUED: "The run waits: for a gate, or for its turn.",
    Stage.PREFLIGHT: "Every gate is open; the customer is measured before anything is written.",
    Stage.BACKING_UP: "The env vars are being backed up, and the database where the policy asks for it.",
    Stage.CLOSING: "The maintenance page is being put before the customer's backend.",
    Stage.RESTORING: "A new database is being restored beside the one that serves.",
    Stage.MIGRATING: "The release's migrations are being applied to the customer's database.",
    Stage.SETTING_ENV: "The env vars of the plan are being written.",
    Stage.DEPLOYING: "A service is being deployed.",
    Stage.OPENING: "The backend serves from the restored database; the maintenance page is being taken down.",
    Stage.SETTLING: "A deploy is live and is left alone for `health_check_delay`.",
    Stage.VERIFYING: "Health, version and database are being measured.",
    Stage.WATCHING: "The version is verified; the triggers stay armed.",
    Stage.UNWINDING: "Nothing went live; the env vars are being put back.",
    Stage.STOPPING: "A trigger fired or the way back was asked for; what is still building is being cancelled.",
    Stage.ROLLING_BACK: "The services go back to the recorded good deploys, then the env vars.",
    Stage.RECHECKING: "The customer is measured after the way back.",
    Stage.DONE: "The run is over and everything is as it was asked for.",
    Stage.FAILED: "The version never went live; what ran before goes on.",
    Stage.ROLLED_BACK: "The version went live and was taken back.",
    Stage.REFUSED: "A check or a person said no before anything was written.",
    Stage.SUPERSEDED: "A newer deploy took its place.",
    Stage.HELD: "Nothing more is done until a person has looked.",
}
_EFFECTS = {
    EffectState.INTENT: "A write is committed to the database, before anything is sent.",
    EffectState.SENT: "The write is about to go out; with what Render showed just before.",
    EffectState.ACCEPTED: "Render took the write and works on it.",
    EffectState.IN_DOUBT: "The answer was lost; Render is looked at until the outcome is known.",
    EffectState.CONFIRMED: "Render shows what was asked for.",
    EffectState.FAILED: "Render ended the work without success.",
    EffectState.NEEDS_HUMAN: "The outcome cannot be found out; a person must look.",
    EffectState.DROPPED: "Render did not get the write, or shows none after the grace. It may be armed anew.",
}
_ROLLOUTS = {
    RolloutState.PLANNED: "A rollout waits for its day 0.",
    RolloutState.RUNNING: "A rollout goes on, or a person let it.",
    RolloutState.PAUSED: "A person paused a rollout: nothing new starts.",
    RolloutState.HALTED: "Failures over the budget, or a moved tag: nothing new starts until a person has looked.",
    RolloutState.DONE: "Every customer of a rollout is through, and watched to the end.",
    RolloutState.ABORTED: "A person ended a rollout.",
}
_MEMBERS = {
    MemberState.PENDING: "A customer of a rollout was asked for, or is to be tried again.",
    MemberState.RUNNING: "A customer's deploy began within a rollout, or goes back.",
    MemberState.VERIFIED: "A customer has the version; it is watched.",
    MemberState.DONE: "A customer's watch is over.",
    MemberState.FAILED: "The version never went live at a customer.",
    MemberState.ROLLED_BACK: "A customer was taken back.",
    MemberState.HELD: "A customer needs a person.",
    MemberState.SKIPPED: "The version does not come to a customer, for the reason given.",
}
_JOINED = {"member.joined": "A customer came into the files while a rollout ran; with its phase and batch."}
_NOTICES = {
    NoticeState.WAITING: "Something is to be told to these recipients, or again after a delivery that was refused.",
    NoticeState.SENDING: "A notice is about to be sent.",
    NoticeState.SENT: "It was taken by every way to its recipient.",
    NoticeState.FAILED: "Every try was refused; it is not tried again.",
    NoticeState.UNKNOWN: "It may have arrived; it is not sent again.",
    NoticeState.NOT_CONFIGURED: "There is no way to the recipient; it is kept and shown.",
}
_PEOPLE = {
    "rollout.requested": "A person began a rollout; with version, commit and day 0.",
    "force.used": "The soft checks were skipped; with the reason.",
    "approval.granted": "Somebody approved a plan.",
    "approval.refused": "Somebody said no to a plan.",
    "rollback.requested": "A person asked to take a customer back, or a run under way.",
    "autodeploy.off": "Autodeploy is about to be switched off on one service.",
    "tag.created": "A person tagged a version; with its commit and whether it was pushed.",
    "freeze.set": "A freeze was set; with its name, its time and whom it binds.",
    "freeze.ended": "A freeze was taken away.",
    "pin.set": "A customer was pinned to its version; with until when.",
    "pin.ended": "A pin was taken away, or a newer one took its place.",
    "hold.set": "Somebody held a customer; with the reason.",
    "hold.ended": "Somebody let a held customer go on.",
    "pause.all": "The kill switch was thrown; with the reason.",
    "resume.all": "The kill switch was lifted.",
}
_BACKUPS = {
    "backup.taken": "A customer's database was backed up; with the archive's name, its bytes and rows.",
    "backup.verified": "A restore of a backup gave what was backed up; with the seconds it took.",
    "backup.failed": "A restore of a backup gave something else; with what differs.",
    "backup.removed": "A backup's archive was deleted; with the rule that let it go.",
}
_EXPORTS = {
    "export.requested": "A person asked Render for an export of a customer's database; with the database's id.",
    "export.downloaded": "A person downloaded an export by Render; with its id and bytes.",
}
ACTIONS: dict[str, str] = {
    **{f"{kind}.requested": meaning for kind, meaning in _REQUESTS.items()},
    **_PEOPLE,
    **{f"run.{stage}": meaning for stage, meaning in _STAGES.items()},
    **{f"rollout.{state}": meaning for state, meaning in _ROLLOUTS.items()},
    **{f"member.{state}": meaning for state, meaning in _MEMBERS.items()},
    **_JOINED,
    **{f"effect.{state}": meaning for state, meaning in _EFFECTS.items()},
    **_BACKUPS,
    **_EXPORTS,
    **{f"notice.{state}": meaning for state, meaning in _NOTICES.items()},
}
"""Every action that the audit log may hold, with what it tells."""
