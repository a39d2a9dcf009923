"""Watches a rehearsal for what must never happen: the invariants of ARCHITECTURE.md, after every event.

It looks at the platform's own state and record, at the store's rows and at the made-up installation, and shares no code
with what decides. What it says begins with the invariant: `I4 c003: ...`.
"""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from localrender.model import Deploy, Service
from rehearsal.calendar import in_window
from rehearsal.fleet import APPROVERS, CANARY, DECLARED, KEY, REQUESTER, MadeUp, PhaseRules
from rehearsal.rows import Row, Rows
from rehearsal.stage import NEW, Stage
from rehearsal.wires import Ask

SEND_DEADLINE = timedelta(seconds=2)
"""A request may still go out this long after its intent was committed, whatever is committed in between."""
PREFLIGHT_MAX = timedelta(minutes=2)
"""From the look at the tag to the first write."""
DOUBT_MAX = timedelta(days=1)
_OVER = frozenset({"verified", "done", "failed", "rolled_back", "held", "skipped"})
_FAILED = frozenset({"failed", "rolled_back", "held"})
_WELL = frozenset({"verified", "done"})
_OPEN = frozenset({"intent", "sent", "accepted", "in_doubt"})
_ENDED = ("done", "failed", "rolled_back", "held", "refused", "superseded")
_RESTING = "('watching', 'done', 'failed', 'rolled_back', 'held', 'refused', 'superseded')"


@dataclass
class _Written:
    """A write under way: what the service's env vars were before it, and for which effect it went out."""

    env: Mapping[str, str]
    effect: Row | None


@dataclass
class Foreign:
    """What others than the product did at the platform: deploys by id, env keys by service."""

    deploys: set[str] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)


class Witness:
    """Collects violations. `before` and `after` hear of every write, `look` comes after every event."""

    def __init__(self, made: MadeUp, foreign: Foreign) -> None:
        self.violations: list[str] = []
        self._made = made
        self._foreign = foreign
        self._by_service = made.by_service()
        self._stage: Stage | None = None
        self._rows: Rows | None = None
        self._writes: list[_Written] = []
        self._live_before: dict[tuple[str, str], str] = {}
        self._seen = -1
        self._audit_seq, self._audit_mac = 0, "0" * 64
        self._started: set[tuple[str, str, int]] = set()
        self._doubts: dict[tuple[str, str, int], datetime] = {}
        self._states: dict[str, str] = {}
        self._entries: Counter[str] = Counter()
        self._commit = ""
        self._moved_at: datetime | None = None
        self.audit_count = 0

    def attend(self, stage: Stage, rows: Rows) -> None:
        """Begin: from here on there is a stage to look at."""
        self._stage, self._rows = stage, rows
        self._commit = stage.host.snapshot.tags[NEW]

    def close(self) -> None:
        """Look no more."""
        if self._rows is not None:
            self._rows.close()

    @property
    def rows(self) -> Rows:
        """The store's rows."""
        assert self._rows is not None
        return self._rows

    @property
    def stage(self) -> Stage:
        """What is looked at."""
        assert self._stage is not None
        return self._stage

    def say(self, invariant: str, what: str) -> None:
        """Keep a violation, each once."""
        text = f"{invariant} {what}"
        if text not in self.violations and len(self.violations) < 50:
            self.violations.append(text)

    # --- writes -------------------------------------------------------------------------------------------------------

    def before(self, ask: Ask) -> None:
        """Judge a write that goes out now."""
        if self._stage is None:
            return
        now = self.stage.clock.now()
        paused_at = self.rows.paused_at()
        if paused_at is not None and now > datetime.fromisoformat(paused_at) + SEND_DEADLINE:
            self.say("I14", f"{ask.method} {ask.path} while everything is paused since {paused_at}")
        parts = ask.path.strip("/").split("/")
        service = self.stage.platform.state.services.get(parts[1]) if parts[0] == "services" else None
        effect = self._effect_of(ask, parts)
        if effect is None:
            self.say("I2", f"{ask.method} {ask.path} has no committed intent")
        self._writes.append(_Written(service.values if service else {}, effect))
        if effect is not None:
            self._judge_gates(effect, ask)
            if service is not None and parts[-1] == "deploys":
                self._judge_deploy(service, effect, ask)
            if service is not None and parts[-1] == "rollback":
                self._judge_rollback(service, effect, ask)

    def after(self, ask: Ask) -> None:
        """Compare with what was before the write."""
        if self._stage is None:
            return
        written = self._writes.pop()
        parts = ask.path.strip("/").split("/")
        service = self.stage.platform.state.services.get(parts[1])
        if service is None:
            return
        self._judge_env(service, parts, written)
        if parts[-1] == "deploys" and written.effect is not None:
            self._judge_doubles(service, written.effect)

    def _effect_of(self, ask: Ask, parts: list[str]) -> Row | None:
        """The row that stands for the write, committed as sent."""
        match [ask.method, *parts]:
            case ["POST", "services", service_id, "deploys"]:
                kinds, key = ("deploy", "roll_back"), ""
            case ["POST", "services", service_id, "rollback"]:
                kinds, key = ("roll_back", "roll_back"), ""
            case ["POST", "services", service_id, "deploys", _, "cancel"]:
                kinds, key = ("cancel", "cancel"), ""
            case ["PUT" | "DELETE", "services", service_id, "env-vars", key]:
                kinds = ("set_env", "restore_env")
            case _:
                return None
        sql = "SELECT * FROM effect WHERE service_id = ? AND state = 'sent' AND kind IN (?, ?)"
        found = self.rows.all(sql, service_id, *kinds)
        return next((row for row in found if not key or json.loads(row["args"]).get("env_key") == key), None)

    def _judge_env(self, service: Service, parts: list[str], written: _Written) -> None:
        """One declared key at a time, and nothing else (I7)."""
        before, after = written.env, service.values
        touched = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
        allowed = {parts[3]} & DECLARED if parts[2:3] == ["env-vars"] and len(parts) == 4 else set()
        if touched - allowed:
            self.say("I7", f"{service.id}: {', '.join(sorted(touched - allowed)[:3])} changed by a write of ours")

    def _judge_deploy(self, service: Service, effect: Row, ask: Ask) -> None:
        """The commit of the approved plan, or on the way back the one that was good (I3)."""
        run = self._run(effect["run_id"])
        live = service.live
        commit = json.loads(ask.body or b"{}").get("commitId")
        if run["stage"] in ("deploying", "backing_up", "migrating", "setting_env"):
            self._live_before.setdefault((run["id"], service.id), live.id if live else "")
            if commit != self._commit:
                self.say("I3", f"{service.id}: {commit} was sent, and {self._commit} was approved")
        elif commit == self._commit:
            self.say("I3", f"{service.id}: the new commit was sent on the way back")

    def _judge_rollback(self, service: Service, effect: Row, ask: Ask) -> None:
        """What was live before the change (I8)."""
        wanted = json.loads(ask.body or b"{}").get("deployId")
        target: Deploy | None = next((one for one in service.deploys if one.id == wanted), None)
        if target is None or target.live_at is None:
            self.say("I8", f"{service.id}: {wanted} was never live")
            return
        before = self._live_before.get((effect["run_id"], service.id))
        if before is not None and before != wanted:
            self.say("I8", f"{service.id}: back to {wanted}, and {before} was live before the change")
        if before is None and target.commit is not None and target.commit.id == self._commit:
            self.say("I8", f"{service.id}: back to a deploy of the new version")

    def _judge_doubles(self, service: Service, effect: Row) -> None:
        """One deploy of a commit for each try of a customer (I1)."""
        run = self._run(effect["run_id"])
        begun = datetime.fromisoformat(run["requested_at"])
        ours = [
            one
            for one in service.deploys
            if one.trigger.value == "api"
            and one.id not in self._foreign.deploys
            and one.created_at >= begun
            and one.commit is not None
            and one.commit.id == run["commit"]
        ]
        if len(ours) > 1:
            self.say("I1", f"{service.id}: {len(ours)} deploys of {run['id']}: {', '.join(one.id for one in ours)}")

    def _run(self, run_id: str) -> Row:
        return self.rows.documents("SELECT document, stage FROM run WHERE id = ?", run_id)[0]

    # --- gates --------------------------------------------------------------------------------------------------------

    def _judge_gates(self, effect: Row, ask: Ask) -> None:
        """The first write of a deploy: by then it passed its gates with approvals of its own (I9)."""
        run = self._run(effect["run_id"])
        if run["kind"] != "deploy" or not run["rollout_id"] or run["force"]:
            return
        rules = self._made.phases[self._made.customers[run["slug"]].policy]
        sql = "SELECT * FROM approval WHERE used_by = ? AND granted = 1"
        found = self.rows.all(sql, run["id"]) if rules.approvals else []
        actors = {
            row["actor"] for row in found if row["plan_hash"] == run["release_hash"] and row["slug"] == run["slug"]
        }
        if actors & {run["requested_by"]}:
            self.say("I9", f"{run['slug']}: {run['requested_by']} approved a request of their own")
        if actors - {*APPROVERS, REQUESTER}:
            self.say("I9", f"{run['slug']}: {', '.join(sorted(actors))} may not approve")
        if len(actors) < rules.approvals:
            self.say("I9", f"{run['id']}: {ask.method} with {len(actors)} of {rules.approvals} approvals")

    def _judge_entry(self, run: Row, at: datetime) -> None:
        """A customer begins in its window and outside of freezes (I4), and not while the tag is another one (I3)."""
        if run["kind"] != "deploy" or run["force"] or not run["rollout_id"]:
            return
        if self._moved_at is not None and at > self._moved_at + PREFLIGHT_MAX:
            self.say("I3", f"{run['slug']} began at {at:%Y-%m-%d %H:%M} UTC, and the tag has moved")
        customer = self._made.customers[run["slug"]]
        if self._made.phases[customer.policy].is_individual and not in_window(customer.window, at):
            self.say("I4", f"{customer.slug} began at {at:%Y-%m-%d %H:%M} UTC, outside of {customer.window}")
        for freeze in self._made.freezes:
            if freeze.binds(customer.slug, at):
                self.say("I4", f"{customer.slug} began at {at:%Y-%m-%d %H:%M} UTC, in {freeze.name}")

    def _judge_start(self, rollout: Row, member: Row, members: list[Row]) -> None:
        """Predecessors, batch, lanes and budget at the start of one member (I4, I5)."""
        began, slug = datetime.fromisoformat(member["started_at"]), member["slug"]
        rules = self._made.phases[member["phase"]]
        if rollout["state"] in ("paused", "halted") and datetime.fromisoformat(rollout["since"]) < began:
            self.say("I4", f"{slug} began while the rollout is {rollout['state']}")
        if member["forced"]:
            return
        if began < datetime.fromisoformat(rollout["day_zero"]) + timedelta(days=rules.first_day):
            self.say("I4", f"{slug} began before day {rules.first_day}")
        settled = [one for one in members if datetime.fromisoformat(one["since"]) < began]
        earlier = [one for one in members if self._made.phases[one["phase"]].first_day < rules.first_day]
        unfinished = [one["slug"] for one in earlier if one["state"] not in _OVER and one in settled]
        if unfinished:
            self.say("I4", f"{slug} began before {', '.join(unfinished[:3])} of an earlier phase ended")
        self._judge_batch(rules, member, [one for one in members if one["phase"] == member["phase"]], began)
        self._judge_budget(slug, [one for one in settled if one["state"] in _FAILED and not one["accepted"]], members)

    def _judge_batch(self, rules: PhaseRules, member: Row, phase: list[Row], began: datetime) -> None:
        running = [one for one in phase if one["state"] == "running"]
        if rules.is_individual:
            if len(running) > rules.lanes:
                self.say("I5", f"{member['phase']}: {len(running)} at once, {rules.lanes} may")
            return
        due = [one for one in phase if one["batch"]]
        size = max(1, -(-len(due) * round(rules.share * 100) // 100))
        if len([one for one in running if one["batch"] == member["batch"]]) > size:
            self.say("I5", f"{member['phase']}: more than {size} at once")
        before = [one for one in due if one["batch"] < member["batch"]]
        for one in before:
            is_before = one["state"] == "running" or datetime.fromisoformat(one["since"]) < began
            if one["state"] not in _OVER and is_before:
                self.say("I4", f"{member['slug']} of batch {member['batch']} began before {one['slug']} ended")
            ended = datetime.fromisoformat(one["verified_at"]) if one["verified_at"] and one["state"] in _WELL else None
            if ended is not None and began < ended + timedelta(hours=rules.delay_hours):
                self.say("I4", f"{member['slug']} began {began - ended} after {one['slug']} of the batch before")

    def _judge_budget(self, slug: str, failed: list[Row], members: list[Row]) -> None:
        batches = {(one["phase"], one["batch"]) for one in failed}
        for phase, batch in batches:
            rules = self._made.phases[phase]
            ones = [one for one in members if one["phase"] == phase and (rules.is_individual or one["batch"] == batch)]
            count = len([one for one in failed if one in ones])
            if count > int(len(ones) * rules.failures + 1e-9):
                self.say("I5", f"{slug} began after {count} of {len(ones)} in {phase} failed")

    # --- after every event --------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Look at everything that was committed since the last look."""
        is_moved = self.stage.host.snapshot.tags[NEW] != self._commit
        self._moved_at = (self._moved_at or self.stage.clock.now()) if is_moved else None
        version = self.rows.version()
        if version == self._seen:
            return
        self._seen = version
        for entry in self.rows.all("SELECT * FROM audit WHERE seq > ? ORDER BY seq", self._audit_seq):
            self._follow(entry)

    def _follow(self, entry: Row) -> None:
        if entry["seq"] != self._audit_seq + 1 or entry["prev"] != self._audit_mac:
            self.say("I10", f"entry {entry['seq']} does not follow from {self._audit_seq}")
        self._audit_seq, self._audit_mac = entry["seq"], entry["mac"]
        self.audit_count += 1
        noun, _, state = entry["action"].partition(".")
        at, detail = datetime.fromisoformat(entry["at"]), json.loads(entry["detail"])
        if noun == "run":
            self._states[entry["run_id"]] = state
            self._entries[entry["run_id"]] += 1
            if state == "backing_up":
                self._judge_entry(self._run(entry["run_id"]), at)
        elif noun == "effect":
            self._follow_effect((entry["run_id"], detail["key"], detail["seq"]), state, detail["service_id"], at)
        elif noun == "member" and state == "running":
            self._follow_start(detail)

    def _follow_start(self, detail: Row) -> None:
        rollout = self.rows.documents("SELECT document FROM rollout WHERE id = ?", detail["rollout"])[0]
        members = list(self.rows.documents("SELECT document FROM member WHERE rollout_id = ?", detail["rollout"]))
        for one in members:
            key = (one["rollout_id"], one["slug"], one["attempt"])
            if one["state"] == "running" and key not in self._started:
                self._started.add(key)
                self._judge_start(rollout, one, members)

    def _follow_effect(self, key: tuple[str, str, int], state: str, service_id: str, at: datetime) -> None:
        """What is unknown becomes known only by a read (I6)."""
        if state == "in_doubt":
            self._doubts.setdefault(key, at)
        elif key in self._doubts and state in ("confirmed", "failed", "dropped"):
            since = self._doubts.pop(key)
            lines = (one for one in reversed(self.stage.platform.journal.lines) if f"/{service_id}" in one.path)
            if not any(one.method == "GET" and one.status == 200 and one.at >= since for one in lines):
                self.say("I6", f"{key[0]} {key[1]}: {state} after a doubt without a look")
        elif key in self._doubts and state == "needs_human":
            del self._doubts[key]

    # --- the end ------------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Judge how everything ended."""
        self.look()
        now = self.stage.clock.now()
        for row in self.rows.all("SELECT * FROM effect WHERE state IN ('intent', 'sent', 'accepted', 'in_doubt')"):
            self.say("I12", f"{row['run_id']} {row['key']} is {row['state']} since {row['intent_at']}, now {now}")
        for row in self.rows.all("SELECT id, stage, epoch FROM run"):
            if self._entries[row["id"]] != row["epoch"]:
                self.say("I10", f"{row['id']} changed {row['epoch']} times, with {self._entries[row['id']]} entries")
            if row["stage"] not in _ENDED:
                self.say("I12", f"{row['id']} is still {row['stage']}")
            if self._states.get(row["id"], row["stage"]) != row["stage"]:
                self.say("I10", f"{row['id']} is {row['stage']}, and the log says {self._states[row['id']]}")
        for one in self.rows.documents("SELECT document FROM member"):
            self._judge_end(one)
        self._judge_pairs()
        self._judge_secrets()

    def _judge_end(self, member: Row) -> None:
        """Everybody ends, with a reason where it is no success (I13)."""
        if member["state"] not in _OVER or member["state"] == "verified":
            self.say("I13", f"{member['slug']} ended {member['state']}")
        elif member["state"] != "done" and not (member["detail"] or member["code"]):
            self.say("I13", f"{member['slug']} is {member['state']} without a reason")
        customer = self._made.customers[member["slug"]]
        services = [self.stage.platform.state.services.get(one) for one in customer.services]
        commits = [one.live.commit.id for one in services if one and one.live and one.live.commit]
        if member["state"] == "done" and set(commits) - {self._commit}:
            self.say("I13", f"{member['slug']} is done and runs {commits}")

    def _judge_pairs(self) -> None:
        """No customer is left half-way unless a person was called (S9)."""
        held = {one["slug"] for one in self.rows.all("SELECT slug FROM run WHERE stage = 'held'")}
        for customer in self._made.customers.values():
            services = [self.stage.platform.state.services.get(one) for one in customer.services]
            live = [one.live for one in services if one is not None and one.live is not None]
            if any(one.id in self._foreign.deploys for one in live) or customer.slug in held:
                continue
            if len({one.commit.id for one in live if one.commit}) > 1:
                self.say("I13", f"{customer.slug} is left with two versions")

    def _judge_secrets(self) -> None:
        """No secret in anything that was written (I11)."""
        for path in self.stage.folder.rglob("*"):
            if path.is_file() and path.parent.name != "config":
                content = path.read_bytes()
                if CANARY.encode() in content or KEY.encode() in content:
                    self.say("I11", f"{path.name} holds a secret")
