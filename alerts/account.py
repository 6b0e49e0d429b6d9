"""What was told of a target against what the record says of it, until each is settled.

Both are steps of a level over event time. A step up is a *claim*: a told one that the record has to bear out,
a judged one that should have been told. Which steps are *the same crossing* is decided with a tolerance of
`samples` + 1 cadences (see `tolerance`), since a late row may confirm a crossing earlier or break up a
confirmation, and a sample may be lost:

- A told claim to a level at s is borne out when the record stands at that level or above somewhere between
  s - tolerance and s + tolerance. It is settled once the watermark has passed the end of that time; if it was
  not borne out, it is *revised*, and the finding says at which level the record stood at most.
- A judged claim at s was told when what was told stands at its level or above somewhere between
  s - tolerance and the end of the judged stay + tolerance. Once the watermark has passed s + tolerance, it is
  *late* if the stay has ended untold, or if nothing of that level is told of the time beyond the watermark.
- What is told of a time that the record has passed by then is no claim.

Pure: every function returns a new account. Called by `alerts.judging`; accounts are stored with the judged
conditions, and change only when something was told, judged or settled.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from alerts.episode import Entry
from alerts.model import Event, Phase


class Step(msgspec.Struct, frozen=True, array_like=True):
    """From `time` (microseconds UTC) on the level is `level`. `alert_id`: the told alert's.

    An unsettled claim carries what made it: the event `told`, or the entry `judged`.
    """

    time: int
    level: int
    alert_id: str = ""
    told: Event | None = None
    judged: Entry | None = None

    @property
    def claims(self) -> bool:
        return self.told is not None or self.judged is not None

    def settled(self) -> Step:
        return replace(self, told=None, judged=None)


class Account(msgspec.Struct, frozen=True):
    """The told and the judged steps of one (rule, target), by time, as far back as they still matter."""

    told: tuple[Step, ...] = ()
    judged: tuple[Step, ...] = ()

    @property
    def waiting(self) -> bool:
        """Whether any claim is not settled."""
        return any(step.claims for step in (*self.told, *self.judged))

    def tell(self, step: Step) -> Account:
        return replace(self, told=_placed(self.told, step))

    def judge(self, step: Step) -> Account:
        return replace(self, judged=_placed(self.judged, step))

    def forgiven(self) -> Account:
        """Without claims: what was told and judged under another version of a rule is not compared."""
        told, judged = (tuple(step.settled() for step in side) for side in (self.told, self.judged))
        return Account(told, judged)


class JudgedCondition(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge holds of one (rule, target), as stored; the fields of `alerts.model.Condition`, the end
    of its chain, and the account of what was told against it."""

    rule: str
    target: str
    phase: Phase
    level: int
    since: int | None
    candidate_level: int
    candidate_since: int | None
    ordinal: int
    hash: str
    rule_version: str
    account: Account


class Finding(msgspec.Struct, frozen=True):
    """A claim that the other side does not bear out, and the highest level at which that side stood."""

    step: Step
    stood: int


def tolerance(samples: int, cadence: float) -> int:
    """How far apart, in microseconds, two steps may be and be the same crossing; `cadence` in seconds.

    As many samples as a confirmation takes, and one that may be lost.
    """
    return round((samples + 1) * cadence * 1_000_000)


def settle(account: Account, watermark: int, spare: int) -> tuple[Account, list[Finding]]:
    """What the watermark has settled by now; `spare` is the tolerance."""
    findings: list[Finding] = []
    told = tuple(_told(step, account, watermark, spare, findings) for step in account.told)
    judged = tuple(_judged(step, account, watermark, spare, findings) for step in account.judged)
    after = Account(told, judged)
    return (account if after == account else _pruned(after, watermark, spare)), findings


def _told(step: Step, account: Account, watermark: int, spare: int, findings: list[Finding]) -> Step:
    if step.told is None or watermark < step.time + spare:
        return step
    stood = highest(account.judged, step.time - spare, step.time + spare)
    if stood < step.level:
        findings.append(Finding(step, stood))
    return step.settled()


def _judged(step: Step, account: Account, watermark: int, spare: int, findings: list[Finding]) -> Step:
    if step.judged is None:
        return step
    end = next((one.time for one in account.judged if one.time > step.time and one.level < step.level), None)
    until = watermark if end is None else end
    stood = highest(account.told, step.time - spare, max(until, step.time) + spare)
    if stood >= step.level:
        return step.settled()
    if watermark < max(step.time if end is None else end, step.time) + spare:
        return step
    if end is None and any(one.time > watermark and one.level >= step.level for one in account.told):
        return step  # the stay may last until that was told
    findings.append(Finding(step, stood))
    return step.settled()


def highest(steps: tuple[Step, ...], begin: int, end: int) -> int:
    """The highest level at which the steps stand between two times, both included."""
    before = [step.level for step in steps if step.time <= begin][-1:]
    return max((*before, *(step.level for step in steps if begin < step.time <= end)), default=0)


def _placed(steps: tuple[Step, ...], step: Step) -> tuple[Step, ...]:
    return tuple(sorted((*steps, step), key=lambda one: one.time))  # stable: of two at a time the last stands


def _pruned(account: Account, watermark: int, spare: int) -> Account:
    """Without the steps that no claim, old or yet to come, can ask for."""

    def needed(claims: tuple[Step, ...]) -> int:
        return min([step.time for step in claims if step.claims], default=watermark) - spare

    def kept(steps: tuple[Step, ...], since: int) -> tuple[Step, ...]:
        since = min([since, *(step.time for step in steps if step.claims)])
        old = [step for step in steps if step.time <= since and not step.claims]
        base = tuple(step for step in old[-1:] if step.level)
        return (*base, *(step for step in steps if step.time > since or step.claims))

    since = min(watermark - spare, needed(account.told), needed(account.judged))
    return Account(kept(account.told, since), kept(account.judged, since))
