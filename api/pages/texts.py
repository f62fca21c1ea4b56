"""Knows the words of the screens in both languages; what designers write (tasks, forms, items) is never here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from api.settings import Language

_WORDS: Mapping[str, tuple[str, str]] = {
    "app": ("三位", "Sanwei"),
    "app.long": ("三位 · 荔湾区事项办理", "Sanwei · Liwan district"),
    "skip": ("跳到正文", "Skip to the content"),
    "nav": ("主导航", "Main navigation"),
    "nav.tasks": ("待办", "Tasks"),
    "nav.cases": ("办件", "Cases"),
    "nav.new": ("新收件", "New case"),
    "nav.processes": ("流程", "Processes"),
    "language": ("English", "中文"),
    "logout": ("退出", "Log out"),
    "login": ("登录", "Log in"),
    "login.name": ("账号", "Account"),
    "login.password": ("密码", "Password"),
    "login.hint": (
        "请使用本人账号。连续输错密码，账号会暂时锁定。",
        "Use your own account; wrong passwords lock it for a while.",
    ),
    "posts.none": ("无岗位", "no post"),
    # worklist
    "tasks.mine": ("我的待办", "Mine"),
    "tasks.posts": ("岗位待办", "My posts'"),
    "tasks.views": ("待办范围", "Which tasks"),
    "tasks.next": ("办理下一件", "Next one, please"),
    "tasks.next.hint": ("签收岗位待办中最急的一件", "Claims the most urgent unclaimed task of your posts"),
    "tasks.item": ("流程", "Process"),
    "tasks.all": ("全部", "All"),
    "tasks.filter": ("筛选", "Filter"),
    "tasks.due": ("时限", "Due"),
    "tasks.title": ("办件", "Case"),
    "tasks.step": ("环节", "Step"),
    "tasks.role": ("岗位", "Post"),
    "tasks.holder": ("签收人", "Claimed by"),
    "tasks.since": ("到达", "Arrived"),
    "tasks.unclaimed": ("未签收", "unclaimed"),
    "tasks.claim": ("签收", "Claim"),
    "tasks.open": ("办理", "Open"),
    "tasks.look": ("查看", "Look"),
    "tasks.more": ("下一页", "Next page"),
    "tasks.first": ("回到第一页", "Back to the first page"),
    "tasks.none.mine": ("没有已签收的任务。", "You have claimed nothing."),
    "tasks.none.posts": ("您的岗位目前没有待办任务。", "Nothing waits for your posts."),
    "tasks.keys": ("键盘：j / k 上下移动，回车打开", "Keyboard: j / k to move, Enter to open"),
    "tasks.action": ("操作", "Action"),
    # said: one sentence after something was done
    "said.completed": ("已提交：", "Submitted: "),
    "said.look": ("查看办件和文书", "See the case and its papers"),
    "said.released": ("已退回岗位待办。", "Given back to the posts."),
    "said.claimed": ("已签收，由您办理。", "Claimed; it is yours."),
    "said.draft": ("草稿已保存，仅您本人可见。", "Draft saved; only you can see it."),
    "said.withdrawn": ("已登记撤回。", "The withdrawal is registered."),
    "said.transfer": ("已转办。", "Transferred."),
    "said.delegate": ("已委托他人办理，交回后由您提交。", "Delegated; you complete it once it is given back."),
    "said.resolved": ("已交回委托人。", "Given back to its owner."),
    "said.urge": ("已催办。", "Urged."),
    "said.comment": ("批注已保存。", "Comment saved."),
    "said.nothing": ("岗位待办中已没有未签收的任务。", "No unclaimed task is left for your posts."),
    "said.onward": ("已提交，以下是本办件的下一环节。", "Submitted; here is the next step of this case."),
    # task
    "task.form": ("办理内容", "What to fill in"),
    "task.noform": ("本环节没有表单，确认后提交即可。", "This step has no form; confirm by submitting."),
    "task.complete": ("提交", "Submit"),
    "task.draft": ("保存草稿", "Save draft"),
    "task.release": ("退回岗位", "Give back"),
    "task.claim": ("签收办理", "Claim"),
    "task.whynot.closed": ("该任务已结束。", "This task is closed."),
    "task.whynot.post": ("您可以查看，但办理须由其他岗位进行。", "You may look, but another post completes this."),
    "task.whynot.claimed": ("该任务已由他人签收，您可以查看。", "Somebody else has claimed this; you may look."),
    "task.whynot.distinct": (
        "前一环节由您办理，本环节须由另一人办理，您可以查看。",
        "You did the step before; another person completes this. You may look.",
    ),
    "task.whynot.delegated": (
        "该任务已委托他人办理，交回后由委托人提交。",
        "This is delegated; its owner completes it once it is given back.",
    ),
    "task.resolve": ("交回委托人", "Give back to the owner"),
    "task.takeback": ("收回委托", "Take it back"),
    "task.decline": ("不办，交还委托人", "Decline"),
    "task.owner": ("委托人", "Owner"),
    "task.mark.pending": ("委托中", "delegated"),
    "task.mark.resolved": ("委托已交回", "given back by the delegate"),
    "task.mark.urged": ("已催办", "urged"),
    "task.hand": ("转办、委托", "Hand on"),
    "task.hand.to": ("办理人", "To whom"),
    "task.hand.none": ("没有可以转交的其他人员。", "There is nobody else to give it to."),
    "task.hand.reason": ("原因", "Reason"),
    "task.transfer": ("转办", "Transfer"),
    "task.transfer.hint": ("转办：此后由对方负责办理。", "Transfer: it is their work from now on."),
    "task.delegate": ("委托", "Delegate"),
    "task.delegate.hint": ("委托：对方办理后交回，仍由您提交。", "Delegate: they give it back, you complete it."),
    "task.urge": ("催办", "Urge"),
    "task.urge.why": ("催办说明", "What to say"),
    "comments": ("批注", "Comments"),
    "comments.none": ("尚无批注。", "No comment yet."),
    "comments.add": ("填写批注", "Write a comment"),
    "comments.hint": (
        "能查看本办件的人员均可看到；保存后不能修改。",
        "Whoever may see the case reads it; it cannot be changed afterwards.",
    ),
    "comments.save": ("保存批注", "Save the comment"),
    "task.notsent": ("您填写的内容没有提交，仍列在下面。", "What you typed was not submitted; it is still below."),
    "task.heldby": ("签收人", "Claimed by"),
    "task.drafted": ("已填入您保存的草稿。", "Your draft is filled in."),
    "form.errors": ("有 {n} 处需要修改", "{n} things need correction"),
    "form.required": ("必填", "required"),
    "form.optional": ("选填", "optional"),
    "form.add": ("增加一行", "Add a row"),
    "form.remove": ("删除此行", "Remove this row"),
    "form.row": ("第 {n} 行", "Row {n}"),
    "form.choose": ("请选择", "Choose"),
    "form.yes": ("是", "Yes"),
    "form.no": ("否", "No"),
    "form.file.has": ("已上传文件", "File uploaded"),
    "form.file.replace": ("重新选择将替换已上传的文件", "Choosing again replaces it"),
    "form.norows": ("尚未填写任何行", "No rows yet"),
    "form.conditional": ("视情形填写", "depends"),
    # case
    "case": ("办件", "Case"),
    "case.data": ("办件信息", "The case's data"),
    "case.nodata": ("尚无填写内容", "Nothing filled in yet"),
    "case.item": ("事项", "Item"),
    "case.department": ("办理部门", "Department"),
    "case.handling": ("承诺时限", "Promised"),
    "case.instant": ("当场办结", "at once, at the counter"),
    "case.legal": ("法定依据", "Legal basis"),
    "case.where": ("当前位置", "Where it stands"),
    "case.nowhere": ("没有待办任务", "No open task"),
    "case.deadlines": ("时限", "Deadlines"),
    "case.nodeadlines": ("尚未起算", "None has begun"),
    "case.noclock": ("没有正在计算的时限", "No clock is running"),
    "case.deadlines.over": ("已结束的时限（{n}）", "Clocks that have ended ({n})"),
    "case.papers": ("文书", "Papers"),
    "case.nopapers": ("尚未出具文书", "No paper issued yet"),
    "case.rendering": ("正在生成", "being made"),
    "case.history": ("办理经过", "History"),
    "case.earlier": ("全部记录从最早开始显示", "From the beginning"),
    "case.morehistory": ("显示更多记录", "Show more"),
    "case.diagram": ("流程图", "Diagram"),
    "case.diagram.note": (
        "图形组件尚未构建（在 api/web 中执行 npm ci 与 npx vite build），以下以文字说明所在环节。",
        "The diagram bundle is not built (npm ci and npx vite build in api/web); the positions are given in words.",
    ),
    "case.diagram.legend": ("深色描边为当前环节，浅色为已经过的路径。", "Strong outline: now; light: the path so far."),
    "case.diagram.larger": ("放大", "Larger"),
    "case.diagram.smaller": ("缩小", "Smaller"),
    "case.diagram.whole": ("全图", "Whole"),
    "case.diagram.failed": ("流程图无法显示。", "The diagram cannot be shown."),
    "case.incidents": ("运行异常", "Incidents"),
    "case.withdraw": ("撤回申请", "Withdraw the application"),
    "case.withdraw.why": ("撤回原因", "Reason"),
    "case.withdraw.hint": ("撤回后本次申请终止，不能恢复。", "The application ends and cannot be resumed."),
    "case.withdraw.do": ("确认撤回", "Withdraw"),
    "case.key": ("业务编号", "Business key"),
    "case.started": ("收件时间", "Started"),
    "case.ended": ("办结时间", "Ended"),
    "case.status": ("状态", "Status"),
    "case.more": ("详情", "Details"),
    "cases.search": ("按业务编号查找", "Search by business key"),
    "cases.find": ("查找", "Search"),
    "cases.none": ("没有符合条件的办件。", "No case matches."),
    "cases.running": ("在办", "Running"),
    "cases.endedonly": ("已办结", "Ended"),
    # the whole history
    "audit.title": ("全部记录", "The whole record"),
    "audit.number": ("序号", "No."),
    "audit.at": ("记录时间", "Recorded at"),
    "audit.occurred": ("发生于", "happened at"),
    "audit.what": ("事件", "Event"),
    "audit.who": ("何人、何岗位", "Who, holding which post"),
    "audit.values": ("数据（原值 → 新值）", "Values (old → new)"),
    "audit.hash": ("校验值", "Hash"),
    "audit.erased": ("内容已依法删除", "erased by law"),
    "audit.none": ("没有更多记录。", "No further events."),
    # new case, processes
    "new.title": ("新收件：选择事项", "New case: choose the item"),
    "new.search": ("按事项名称、部门或编码查找", "Search by name, department or code"),
    "new.start": ("收件", "Start"),
    "new.none": ("没有您可以发起的事项。", "There is nothing you may start."),
    "new.count": ("共 {n} 项", "{n} items"),
    "new.too_many": ("仅显示前 {n} 项，请输入关键词缩小范围。", "Only the first {n} are shown; type to narrow down."),
    "processes.title": ("已发布的流程", "Published processes"),
    "processes.name": ("名称", "Name"),
    "processes.key": ("标识", "Key"),
    "processes.versions": ("版本", "Versions"),
    "processes.published": ("发布时间", "Published"),
    "processes.none": ("尚未发布流程。", "Nothing is published yet."),
    "processes.xml": ("下载 BPMN 文件", "Download the BPMN file"),
    # problems
    "problem.back": ("返回待办", "Back to the tasks"),
    "problem.who": ("由 {by}", "by {by}"),
    "problem.to": ("现由 {to} 办理", "with {to}"),
    "problem.when": ("时间：{at}", "at {at}"),
    "problem.code": ("错误代码", "Code"),
    "lamp.green": ("正常", "on time"),
    "lamp.yellow": ("临期", "due soon"),
    "lamp.red": ("超期", "overdue"),
    "lamp.none": ("未计时", "no clock runs"),
    "lamp.off": ("停计", "not counting"),
    "deadline.running": ("计时中", "running"),
    "deadline.paused": ("暂停", "standing still"),
    "deadline.met": ("按期完成", "met"),
    "deadline.dropped": ("不再计算", "dropped"),
    "deadline.breached": ("超期", "breached"),
    "deadline.ended": ("结束于", "ended"),
    "deadline.until": ("至", "until"),
    "deadline.provisional": ("暂定", "provisional"),
    "status.active": ("在办", "running"),
    "status.suspended": ("暂停", "suspended"),
    "status.ended": ("已办结", "ended"),
    "unit.working_days": ("个工作日", " working days"),
    "unit.work_hours": ("个工作小时", " work hours"),
    "unit.calendar_days": ("日", " days"),
    "unit.hours": ("小时", " hours"),
    "unit.months": ("个月", " months"),
}

# Kinds of history that a clerk reads; the others (tokens, variables, scopes) are the auditor's.
_EVENTS: Mapping[str, tuple[str, str]] = {
    "case.started": ("收件，办件建立", "Case started"),
    "task.completed": ("办结", "Completed"),
    "task.claimed": ("签收", "Claimed"),
    "task.released": ("退回岗位", "Given back"),
    "task.transferred": ("转办", "Transferred"),
    "task.delegated": ("委托办理", "Delegated"),
    "task.resolved": ("交回委托人", "Given back to the owner"),
    "task.urged": ("催办", "Urged"),
    "comment.added": ("批注", "Comment"),
    "timer.fired": ("时限届满，系统按规定处理", "A moment came; the system did what is drawn"),
    "message.delivered": ("收到消息", "Message received"),
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
    "documents.rendered": ("文书已生成", "Paper made"),
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
}

Words = Callable[..., str]


def words(language: Language) -> Words:
    """The function templates call: `t("tasks.mine")`, `t("form.row", n=2)`. An unknown key is a KeyError, in tests."""
    side = 1 if language == "en" else 0

    def text(key: str, **values: object) -> str:
        found = _WORDS[key][side]
        return found.format(**values) if values else found

    return text


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
