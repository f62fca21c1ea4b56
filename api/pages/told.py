"""Knows the words for what diagrams and history say (outcomes, milestones, roles, kinds of events), both languages."""

from __future__ import annotations

from collections.abc import Mapping

from api.settings import Language

# Kinds of history that a clerk reads; the others (tokens, variables, scopes) are the auditor's.
_EVENTS: Mapping[str, tuple[str, str]] = {
    "case.started": ("收件，办件建立", "Case started"),
    "task.completed": ("办结", "Completed"),
    "task.signed": ("签署意见", "Signed"),
    "task.claimed": ("签收", "Claimed"),
    "task.returned": ("退回", "Returned"),
    "task.recalled": ("撤回办结", "Taken back"),
    "task.released": ("退回岗位", "Given back"),
    "task.transferred": ("转办", "Transferred"),
    "task.delegated": ("委托办理", "Delegated"),
    "task.resolved": ("交回委托人", "Given back to the owner"),
    "task.urged": ("催办", "Urged"),
    "signers.added": ("请加签", "Signers asked"),
    "signer.removed": ("撤销加签人", "A signer asked no more"),
    "comment.added": ("批注", "Comment"),
    "timer.fired": ("时限届满，系统按规定处理", "A moment came; the system did what is drawn"),
    "message.delivered": ("收到消息", "Message received"),
    "case.suspended": ("中止办理", "Case suspended"),
    "firing.failed": ("到期事项处理失败", "What fell due could not be done"),
    "job.failed": ("文书或者短信处理失败", "A paper or message failed"),
    "case.migrated": ("迁移到新版本", "Moved to another release"),
    "case.resumed": ("恢复办理", "Case resumed"),
    "deadlines.judged": ("中止期间时限届满", "A deadline ran out while the case was suspended"),
    "signal.delivered": ("收到信号", "Signal received"),
    "incident.closed": ("运行异常已查看", "Incident seen"),
    "incident.retried": ("重试运行异常", "Incident retried"),
    "calendar.changed": ("工作日历更新，重新计算时限", "Calendar changed; deadlines recomputed"),
    "attempt.refused": ("操作被拒绝", "An attempt was refused"),
    "milestone.reached": ("进入阶段", "Reached"),
    "document.issued": ("出具文书", "Paper issued"),
    "notice.queued": ("发送短信", "Text message"),
    "notice.impossible": ("未发送短信（无手机号码）", "No text message (no number)"),
    "deadline.started": ("开始计时", "Clock started"),
    "deadline.paused": ("暂停计时", "Clock stands still"),
    "deadline.resumed": ("恢复计时", "Clock goes on"),
    "deadline.met": ("按期完成", "Deadline met"),
    "deadline.dropped": ("停止计时", "Clock dropped"),
    "deadline.breached": ("超过时限", "Deadline breached"),
    "deadline.extended": ("延长时限", "Deadline extended"),
    "deadline.recomputed": ("时限重新计算", "Deadline recomputed"),
    "incident.raised": ("运行异常", "Incident"),
    "case.ended": ("办件结束", "Case ended"),
    "erasure.proposed": ("提出销毁", "Erasure proposed"),
    "case.erased": ("已删除", "Erased"),
    "hold.placed": ("法定保留", "Held"),
    "hold.lifted": ("解除保留", "Hold lifted"),
    "document.rendered": ("文书已生成", "Paper made"),
}

# Kinds of history that only an auditor reads.
_CHAINED: Mapping[str, tuple[str, str]] = {
    "element.entered": ("进入节点", "Element entered"),
    "element.completed": ("完成节点", "Element completed"),
    "element.cancelled": ("取消节点", "Element cancelled"),
    "variables.written": ("写入数据", "Variables written"),
    "scope.opened": ("进入子流程", "Scope opened"),
    "event.thrown": ("抛出事件", "Event thrown"),
    "event.caught": ("捕获事件", "Event caught"),
    "error.uncaught": ("未处理的错误", "Error nobody caught"),
}

# Words that diagrams use as ids: outcomes of end events, milestones; an unknown one shows as it is drawn.
_DRAWN: Mapping[str, tuple[str, str]] = {
    "granted": ("准予", "granted"),
    "denied": ("不予", "denied"),
    "not_accepted": ("不予受理", "not accepted"),
    "withdrawn": ("撤回", "withdrawn"),
    "lapsed": ("逾期视为撤回", "lapsed"),
    "submitted": ("已申请", "submitted"),
    "received": ("已收件", "received"),
    "intake": ("收件", "intake"),
    "correction": ("补正中", "correction"),
    "accepted": ("已受理", "accepted"),
    "examined": ("已审查", "examined"),
    "inspected": ("已核查", "inspected"),
    "decided": ("已决定", "decided"),
    "certified": ("已制证", "certified"),
    "ready": ("待取件", "ready"),
    "issued": ("已出件", "issued"),
    "posted": ("已寄出", "posted"),
    "registered": ("已登记", "registered"),
    "intake_clerk": ("收件员", "Intake clerk"),
    "acceptance_reviewer": ("受理审核员", "Acceptance reviewer"),
    "examiner": ("审查员", "Examiner"),
    "inspector": ("核查员", "Inspector"),
    "decision_maker": ("审批决定人", "Decision maker"),
    "registrar": ("登记员", "Registrar"),
    "issue_clerk": ("出件员", "Issue clerk"),
    "supervisor": ("督办员", "Supervisor"),
    "auditor": ("审计员", "Auditor"),
    "designer": ("流程设计员", "Designer"),
    "security_admin": ("安全管理员", "Security administrator"),
    "system_admin": ("系统管理员", "System administrator"),
    "archivist": ("档案管理员", "Archivist"),
}


def drawn(word: str | None, language: Language) -> str:
    """A word of a diagram (outcome, milestone, role) for people; unknown words stay as they are."""
    if not word:
        return ""
    pair = _DRAWN.get(word)
    return word if pair is None else pair[1 if language == "en" else 0]


def chained(kind: str, language: Language) -> str:
    """What any event's kind is called for an auditor; unknown kinds stay as they are."""
    pair = _CHAINED.get(kind) or _EVENTS.get(kind) or (kind, kind)
    return pair[1 if language == "en" else 0]


def happened(kind: str, language: Language) -> str | None:
    """What an event's kind is called on the screens; None for kinds that clerks are not shown."""
    pair = _EVENTS.get(kind)
    return None if pair is None else pair[1 if language == "en" else 0]
