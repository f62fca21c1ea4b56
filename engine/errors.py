"""Every error a caller may meet. No HTTP numbers here; no message ever holds answers, names or other case data."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that is wrong, in both languages, and how to mend it.

    ``where`` is a field path (``applicant.phone``, ``materials.2.status``) or ``file#element``; ``rule`` a stable
    snake_case name; texts never quote the value found.
    """

    where: str
    rule: str
    zh: str
    en: str
    mend_zh: str = ""
    mend_en: str = ""
    severity: str = "error"


class SanweiError(Exception):
    """Root of all errors of the engine. The class docstring's first line is the default message.

    ``zh`` is the sentence a clerk reads. ``facts`` are plain, never personal, and safe to log.
    """

    zh = "操作未能完成"

    def __init__(self, message: str | None = None, **facts: Any) -> None:
        self.facts = facts
        super().__init__(message or (self.__doc__ or "").split("\n")[0].rstrip("."))


class NotFound(SanweiError):
    """There is nothing here that you may see."""

    zh = "没有找到，或您无权查看"


class Forbidden(SanweiError):
    """Your posts do not allow this."""

    zh = "您的岗位不能办理此事项"


class SameActorNotAllowed(Forbidden):
    """Another person must do this: you have already acted in this case where the rule asks for somebody else."""

    zh = "依规定须由另一人办理"


class Conflict(SanweiError):
    """Somebody or something was first."""

    zh = "该事项已被他人处理"


class TaskNotOpen(Conflict):
    """The task is no longer open. Facts: status, by (account's display name), at (datetime)."""

    zh = "该任务已办结"


class TaskLapsed(Conflict):
    """The moment for this task has passed. Facts: at (datetime)."""

    zh = "办理时限已过，任务已由系统按规定处理"


class TaskClaimed(Conflict):
    """Somebody else has claimed the task. Facts: by, at."""

    zh = "该任务已由他人签收"


class TaskDelegated(Conflict):
    """The task lies with a delegate and has not been resolved. Facts: to (account's display name), at."""

    zh = "该任务已委托他人办理，尚未交回"


class TaskNotHeld(Conflict):
    """The task does not lie on your desk; claim it first."""

    zh = "该任务不在您名下，请先签收"


class SignaturesMissing(Conflict):
    """Somebody who was asked to sign before the task is done has not signed yet. Facts: missing (how many)."""

    zh = "尚有加签人未签署意见，不能提交"


class SignersOwn(Conflict):
    """A signature is its signer's own and cannot be handed on."""

    zh = "加签意见须由本人签署，不能转交"


class UrgedAlready(Conflict):
    """You have urged this task within the last hour. Facts: at (datetime)."""

    zh = "一小时内已催办过该任务"


class ReturnNotPossible(Conflict):
    """The task cannot be returned there: not listed, not done in this case yet, or in a block closed since."""

    zh = "不能退回到所选环节"


class TaskNotCompleted(Conflict):
    """The task is still open: there is nothing to recall."""

    zh = "该任务尚未办结，无需撤回"


class NotYourCompletion(Forbidden):
    """Only who completed the task may recall it."""

    zh = "只有办结该任务的人可以撤回"


class ActedSince(Conflict):
    """The case has moved on since; it can be returned by whoever has it now, not recalled."""

    zh = "该办件之后已有办理，不能撤回；可由现环节退回"


class HasLeftTheDesk(Conflict):
    """What it led to has left the desk: a paper, notice, message, milestone or deadline; it cannot be recalled."""

    zh = "已产生文书、通知、消息、节点或期限变动，不能撤回，只能退回"


class NotReproducible(Conflict):
    """The case's history does not lead to its state again; nothing was done."""

    zh = "办件经过无法原样重现，不能撤回"


class CaseEnded(Conflict):
    """The case has ended. Facts: outcome."""

    zh = "该办件已办结"


class NothingWaits(Conflict):
    """The case does not wait for this message (any more)."""

    zh = "该办件目前不能进行此操作"


class AlreadyStarted(Conflict):
    """A message of this name and key has started its case before; no case will wait for another."""

    zh = "该消息已启动过办件"


class CaseNotEnded(Conflict):
    """The case has not ended."""

    zh = "该办件尚未办结"


class LegalHold(Conflict):
    """The case is under a legal hold."""

    zh = "该办件处于法定保留状态"


class RetentionRuns(Conflict):
    """The case must still be kept. Facts: until (date)."""

    zh = "该办件仍在保管期限内"


class Erased(Conflict):
    """What was personal in the case has been erased."""

    zh = "该办件的内容已依法删除"


class NothingProposed(Conflict):
    """Nobody has proposed to erase the case."""

    zh = "尚未有人提出销毁该办件"


class StaleRevision(Conflict):
    """The case was written by somebody else in between; nothing of this attempt has been written."""

    zh = "该办件刚被更新，请刷新后再试"


class BusinessKeyTaken(Conflict):
    """A case with this business key exists."""

    zh = "该业务编号已存在"


class CaseSuspended(Conflict):
    """The case is suspended; nothing moves before it is resumed."""

    zh = "该办件已中止，恢复后方可办理"


class NotSuspended(Conflict):
    """The case is not suspended."""

    zh = "该办件没有中止"


class ReleaseUnchanged(Conflict):
    """The case follows the release in force already."""

    zh = "该办件已是现行版本"


class StillStuck(Conflict):
    """It failed again, for the same reason or another; nothing of the attempt has been written."""

    zh = "重试仍未成功，原因尚未消除"


class NotBeforeUpgrade(Conflict):
    """Not before every server is upgraded: an older one could not read the case. Facts: format."""

    zh = "须待全部服务器升级后方可办理"


class Invalid(SanweiError):
    """The input is not acceptable. ``findings`` lists every problem at once."""

    zh = "提交的内容有误，请按提示修改"

    def __init__(self, findings: list[Finding], message: str | None = None, **facts: Any) -> None:
        self.findings = findings
        super().__init__(message, **facts)


class FormInvalid(Invalid):
    """The answers do not fit the form."""


class Refused(Invalid):
    """A diagram or file that cannot be executed rightly; each finding names file and element."""

    zh = "文件未通过发布检查"


class KeyReused(SanweiError):
    """The Idempotency-Key was used for another request."""

    zh = "同一请求编号被用于不同的内容"


class InputRejected(Invalid):
    """The machine refuses the input: nothing has happened."""


class LoginFailed(SanweiError):
    """Name or password is wrong, or the account is closed or locked."""

    zh = "账号或密码不正确，或账号已停用"


class TooLarge(SanweiError):
    """More than the limit. Facts: limit (bytes)."""

    zh = "内容超过允许的大小"


class DatabaseBusy(SanweiError):
    """The database is busy or away; nothing has been written, try again."""

    zh = "系统繁忙，请稍后再试"


def moment(value: datetime | None) -> str | None:
    """ISO text of a fact that is a moment."""
    return value.isoformat() if value else None
