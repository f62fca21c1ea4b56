"""What the gate says: one rule, its sentence in both languages, and how to mend it."""

from __future__ import annotations

from engine.bpmn.expressions import ExpressionError
from engine.bpmn.gate.sentences_flow import FLOW
from engine.bpmn.gate.sentences_running import RUNNING
from engine.errors import Finding

RULES: dict[str, tuple[str, str, str, str]] = {
    **RUNNING,
    **FLOW,
    "schema": (
        "不符合 BPMN 2.0 结构定义",
        "It does not fit the BPMN 2.0 schema",
        "用建模工具重新保存",
        "Save it again with a modeller",
    ),
    "file_name": (
        "文件名须与流程标识相同",
        "The file must be called like its process",
        "改文件名或流程标识",
        "Rename the file or the process",
    ),
    "key_reused": ("流程标识已被另一文件使用", "Another file holds a process of this id", "改名", "Rename one of them"),
    "shape_missing": (
        "元素没有图形",
        "The element has no shape in the diagram",
        "重新自动布局",
        "Lay the diagram out again",
    ),
    "unreachable": ("没有任何路径到达此处", "Nothing leads to it", "连上顺序流或删除", "Connect it or remove it"),
    "empty": (
        "流程或子流程是空的",
        "The process or sub-process is empty",
        "画出内容或删除",
        "Draw its content or remove it",
    ),
    "ad_hoc": (
        "不支持自由子流程",
        "Ad-hoc sub-processes are not supported",
        "改用普通子流程",
        "Use a plain sub-process",
    ),
    "handler_flow": (
        "事件子流程不能有顺序流",
        "An event sub-process has no sequence flows",
        "删除顺序流",
        "Remove the flows",
    ),
    "inner_start": (
        "子流程的开始事件不能带事件定义",
        "The start event of a sub-process carries no event",
        "改为普通开始事件",
        "Use a plain start event",
    ),
    "start_event": (
        "流程不能由这种事件启动",
        "A process is not started by this event",
        "换用消息、信号、定时或普通开始",
        "Use a message, signal, timer or plain start",
    ),
    "incoming": (
        "开始和边界事件不能有流入",
        "Start and boundary events have no incoming flow",
        "删除流入的顺序流",
        "Remove the incoming flow",
    ),
    "outgoing": (
        "结束事件不能有流出",
        "An end event has no outgoing flow",
        "删除流出的顺序流",
        "Remove the outgoing flow",
    ),
    "cancel_place": (
        "取消事件只能用于事务子流程",
        "Cancel belongs to transactions only",
        "换用其他事件",
        "Use another event",
    ),
    "several_events": (
        "这种事件不能与其他事件合用",
        "This event cannot be one of several",
        "分成单独的事件",
        "Draw separate events",
    ),
    "boundary_host": (
        "边界事件须附着在活动上",
        "A boundary event needs an activity",
        "附着到任务或子流程",
        "Attach it to a task or sub-process",
    ),
    "compensation_handler": (
        "补偿事件没有关联的补偿活动",
        "No activity is associated with this compensation event",
        "用关联线连到补偿活动",
        "Associate an activity",
    ),
    "compensation_nested": (
        "被调用或重复的范围内不支持补偿",
        "Compensation inside a called or repeated scope is not supported",
        "改画",
        "Draw it another way",
    ),
    "event_gateway": (
        "事件网关之后只能是等待事件，且不带条件",
        "Behind an event-based gateway stand waiting events without condition",
        "改接等待事件",
        "Connect waiting events",
    ),
    "parallel_condition": (
        "并行网关之后的条件不起作用",
        "A condition behind a parallel gateway has no effect",
        "删除条件或换用包容网关",
        "Remove it or use an inclusive gateway",
    ),
    "flow_condition": (
        "排他或包容网关的分支缺少条件",
        "A branch of an exclusive or inclusive gateway lacks its condition",
        "填写条件或设为默认分支",
        "Give a condition or make it the default",
    ),
    "default_flow": (
        "默认分支不是从这里流出的",
        "The default flow does not leave here",
        "重新指定默认分支",
        "Choose the default again",
    ),
    "activation": (
        "复杂网关缺少激活条件",
        "A complex gateway needs an activation condition",
        "填写激活条件",
        "Give the condition",
    ),
    "behavior": ("不支持这种多实例行为", "This multi-instance behaviour is not supported", "用 All", "Use All"),
    "no_lane": (
        "用户任务没有泳道，无人可办",
        "The user task lies in no lane: nobody may do it",
        "放入泳道",
        "Put it into a lane",
    ),
    "start_lane": (
        "开始事件没有泳道，不知谁可发起",
        "The start lies in no lane: nobody may start it",
        "放入泳道",
        "Put it into a lane",
    ),
    "role_unknown": (
        "泳道不是已知的角色",
        "The lane is no known role",
        "用 roles.csv 中的角色作泳道标识",
        "Use a role of roles.csv as the lane's id",
    ),
    "scope_missing": (
        "泳道没有管辖范围（scope）",
        "The lane has no scope",
        "填写属性 scope",
        "Give the property scope",
    ),
    "form_missing": (
        "用户任务没有表单",
        "The user task has no form",
        "填写 formJsonSchemaFilename",
        "Give formJsonSchemaFilename",
    ),
    "form_unknown": (
        "表单文件不存在",
        "The form's file does not exist",
        "新建表单或改正路径",
        "Add the form or correct the path",
    ),
    "variable_missing": (
        "用户任务没有变量名，结果无处存放",
        "The user task names no variable for its answers",
        "填写 variableName",
        "Give variableName",
    ),
    "distinct_unknown": (
        "回避对象不是本流程的用户任务",
        "distinct_from names no user task of this process",
        "改正元素标识",
        "Correct the element ids",
    ),
    "property_unknown": (
        "没有这种属性，不会起任何作用",
        "There is no such property: it would do nothing",
        "改正属性名",
        "Correct its name",
    ),
    "property_place": (
        "属性不能写在这里",
        "The property does not belong here",
        "移到正确的元素上",
        "Move it to the right element",
    ),
    "paper_unknown": (
        "文书没有登记或者没有模板",
        "The paper is not registered or has no template",
        "补 papers.csv 和 forms/documents",
        "Add it to papers.csv and forms/documents",
    ),
    "notice_unknown": (
        "短信没有登记或者没有模板",
        "The notice is not registered or has no template",
        "补 notices.csv 和 forms/notices",
        "Add it to notices.csv and forms/notices",
    ),
    "deadline_unknown": (
        "没有这种期限",
        "There is no such kind of deadline",
        "补 deadline_kinds.csv 或改正名称",
        "Add it to deadline_kinds.csv or correct the name",
    ),
    "deadline_never_started": (
        "没有任何流程启动这种期限",
        "No process ever starts this deadline",
        "在应起算处写 starts",
        "Put starts where it begins",
    ),
    "deadline_form": (
        "deadline 只能写作 deadline('期限')",
        "Write deadline as deadline('kind')",
        "写出期限的名称",
        "Name the kind in quotes",
    ),
    "standstill_citation": (
        "停止计时没有写明依据",
        "A standstill needs its citation",
        "填写属性 citation",
        "Give the property citation",
    ),
    "item_unknown": (
        "事项编码不在事项登记中",
        "The item's code is in no items.csv",
        "改正编码或登记事项",
        "Correct the code or register the item",
    ),
    "item_key": (
        "事项登记指向另一个流程",
        "The item's row names another process",
        "改正 items.csv 的 key 列",
        "Correct the column key",
    ),
    "item_without_process": (
        "事项登记的流程不存在",
        "The process of this item does not exist",
        "画出流程或改正 key 列",
        "Draw it or correct the column key",
    ),
    "io_missing": (
        "被调用的流程没有声明输入输出",
        "The called process declares no inputs and outputs",
        "补 ioSpecification",
        "Add an ioSpecification",
    ),
    "input_unset": (
        "被调用流程需要的输入在此流程中没有来源",
        "Nothing here sets an input that the called process needs",
        "先给该变量赋值",
        "Set the variable before the call",
    ),
    "output_unset": (
        "声明的输出在流程中没有来源",
        "Nothing sets a declared output",
        "在脚本中赋值",
        "Set it in a script",
    ),
    "called_missing": (
        "被调用的流程不存在",
        "The called process does not exist",
        "改正 calledElement",
        "Correct calledElement",
    ),
    "call_cycle": (
        "流程直接或间接调用自己",
        "The process calls itself, directly or through others",
        "去掉循环调用",
        "Remove the circle",
    ),
    "expression": ("表达式有误", "The expression is wrong", "改正表达式", "Correct the expression"),
    "name_unset": (
        "用到的变量在此流程中没有来源",
        "It uses a variable that nothing in this process sets",
        "改正名称或先赋值",
        "Correct the name or set it first",
    ),
    "timer_unquoted": ("时间须加引号", "The time must be quoted", '写作 "PT1H"', 'Write "PT1H"'),
    "timer_invalid": (
        "时间的写法有误",
        "This is no time the timer understands",
        '写 ISO 8601 时间，如 "PT1H"',
        'Write ISO 8601, as "PT1H"',
    ),
    "parallel_write": (
        "并行的分支写同一个变量",
        "Parallel branches write the same variable",
        "各用各的变量",
        "Give each branch its own variable",
    ),
    "name_missing": ("没有名称", "It has no name", "写上中文名称", "Name it"),
    "documentation_missing": (
        "流程没有说明",
        "The process has no documentation",
        "写明用途和依据",
        "Say what it is for and on what basis",
    ),
    "return_unknown": (
        "退回目标不存在，或不在本环节所在的流程和外层子流程中",
        "What it returns to does not exist in the scopes around it",
        "写外层的用户任务标识，或「调用活动/其中的用户任务」",
        "Name a user task around it, or call_activity/user_task",
    ),
    "return_no_task": (
        "只能退回到另一个用户任务",
        "It can be returned to another user task only",
        "改为用户任务的标识",
        "Name a user task",
    ),
    "return_call": (
        "退回目标中斜杠之前须是不重复执行的调用活动",
        "What stands before the slash must be a call activity that is not repeated",
        "改正标识",
        "Correct the id",
    ),
    "return_entrance": (
        "被调用的流程中没有这个用户任务，或它在并行分支、多实例之中，不能单独进入",
        "The called process has no such user task, or it lies in a parallel branch or a repetition",
        "改为被调用流程主线上的用户任务",
        "Name a user task of the called process that stands alone",
    ),
    "return_unreachable": (
        "退回目标不在本环节之前的路径上，或位于已汇合的并行分支中",
        "No path leads from there to here, or it lies in a parallel branch that has been joined before",
        "改为本环节之前、同一分支或分支之前的任务",
        "Name a task before this one, in the same branch or before the split",
    ),
    "ours_only": (
        "这种画法只在本系统正确执行",
        "This runs right only here, not on the bare library",
        "能换则换成通用画法",
        "Draw it the portable way where you can",
    ),
}

EXPRESSIONS: dict[str, tuple[str, str]] = {
    "syntax": ("写法不完整或有误", "it does not parse"),
    "attribute": ("不能用点号，改用 a['键']", "no dots: write a['key']"),
    "unknown_function": ("没有这个函数", "there is no such function"),
    "not_an_assignment": ("脚本只能是赋值", "a script holds assignments only"),
    "augmented_assignment": ("不能用 +=，写作 a = a + 1", "no +=: write a = a + 1"),
    "target": ("只能给变量或 a['键'] 赋值", "assign to a variable or a['key']"),
    "shadows_function": ("变量与函数同名", "the variable is called like a function"),
    "lambda": ("不能定义函数", "no functions of your own"),
    "generator": ("只能用列表推导", "list comprehensions only"),
    "format": ("不能指定格式", "no format in texts"),
    "keyword": ("函数不能用关键字参数", "no keyword arguments"),
    "identity": ("is 只能与 None、True、False 比较", "is compares with None, True, False only"),
    "too_long": ("太长", "it is too long"),
    "too_deep": ("嵌套太深", "it is nested too deeply"),
    "too_large": ("数或文字太大", "a number or text is too large"),
    "empty": ("没有内容", "it is empty"),
}
_OTHER = ("用了不允许的写法", "it uses something that is not allowed")


def finding(file: str, element: str, rule: str, note: str = "", severity: str = "error") -> Finding:
    """One finding; ``note`` adds ids or names of the designer's own files."""
    zh, en, mend_zh, mend_en = RULES[rule]
    return Finding(
        where=f"{file}#{element}" if element else file,
        rule=rule,
        zh=f"{zh}（{note}）" if note else zh,
        en=f"{en} ({note})" if note else en,
        mend_zh=mend_zh,
        mend_en=mend_en,
        severity=severity,
    )


def expression(file: str, element: str, error: ExpressionError) -> Finding:
    """The finding for an expression that must not run."""
    zh, en = EXPRESSIONS.get(error.code, _OTHER)
    line, column = error.position
    return Finding(
        where=f"{file}#{element}",
        rule="expression",
        zh=f"表达式第 {line} 行第 {column} 列：{zh}",
        en=f"Expression, line {line}, column {column}: {en}",
        mend_zh=RULES["expression"][2],
        mend_en=RULES["expression"][3],
    )
