"""What may be wrong with a diagram or an input: one code, its sentences in both languages, and how to mend it."""

from __future__ import annotations

from engine.errors import Finding, InputRejected

DIAGRAM: dict[str, tuple[str, str, str, str]] = {
    "file_too_large": ("文件超过 5 MB", "The file is larger than 5 MB", "拆分流程", "Split the process"),
    "not_xml": ("文件不是格式良好的 XML", "The file is not well-formed XML", "重新导出文件", "Export the file again"),
    "doctype": ("文件含有 DOCTYPE 声明", "The file declares a DOCTYPE", "删除该声明", "Remove the declaration"),
    "too_deep": (
        "元素嵌套过深",
        "The elements are nested too deeply",
        "把内层画成单独的流程",
        "Draw the inner part as a process of its own",
    ),
    "too_many_elements": (
        "元素过多，无法检查",
        "There are too many elements to check",
        "拆成几个流程",
        "Split it into several processes",
    ),
    "not_bpmn": (
        "根元素不是 BPMN definitions",
        "The root is not BPMN definitions",
        "导出为 BPMN 2.0",
        "Export BPMN 2.0",
    ),
    "one_process": (
        "一个文件须恰有一个流程",
        "A file holds exactly one process",
        "每个流程单独成文件",
        "One file per process",
    ),
    "not_executable": (
        "流程标为不可执行",
        "The process is marked as not executable",
        'isExecutable="true"',
        'isExecutable="true"',
    ),
    "duplicate_id": ("同一标识在文件中出现两次", "The id occurs twice in the file", "改名", "Rename one of them"),
    "unreadable": (
        "该元素无法读取",
        "The element cannot be read",
        "检查其属性和扩展",
        "Check its attributes and extensions",
    ),
    "not_supported": ("不支持这种元素", "This kind of element is not supported", "换用其他画法", "Draw it another way"),
    "abstract_task": (
        "未指明类型的任务无法执行",
        "An abstract task cannot be executed",
        "改为用户任务或脚本任务",
        "Make it a user or script task",
    ),
    "flow_end_missing": (
        "顺序流的一端不在同一层",
        "A sequence flow ends outside its scope",
        "重新连线",
        "Connect it again",
    ),
    "event_not_allowed": (
        "此处不能使用这种事件",
        "This event cannot stand here",
        "换用允许的事件",
        "Use an event allowed here",
    ),
    "event_missing": (
        "事件没有事件定义",
        "The event lacks an event definition",
        "选择事件类型",
        "Choose the kind of event",
    ),
    "reference_missing": (
        "引用的消息、信号、错误或升级未定义",
        "It refers to something that is not defined",
        "补上定义",
        "Define it",
    ),
    "message_missing": ("接收任务没有消息", "The receive task names no message", "选择消息", "Choose a message"),
    "several_correlations": (
        "一个消息只能有一个关联表达式",
        "A message has one correlation expression only",
        "保留一个",
        "Keep one",
    ),
    "timer_missing": ("定时事件没有时间", "The timer has no time", "填写时间", "Give it a time"),
    "deadline_place": (
        "deadline(…) 只能写在 timeDate 中",
        "deadline(…) stands in timeDate only",
        "改用日期定时",
        "Use timeDate",
    ),
    "condition_missing": (
        "条件事件没有条件",
        "The conditional event has no condition",
        "填写条件",
        "Give it a condition",
    ),
    "link_missing": (
        "没有同名的链接捕获事件",
        "There is no catching link of that name",
        "补上链接",
        "Draw the catching link",
    ),
    "handler_start": (
        "事件子流程须恰有一个带事件的开始事件",
        "An event sub-process has one start event with an event",
        "改画开始事件",
        "Redraw its start",
    ),
    "data_mapping": (
        "不支持数据转换和赋值",
        "Transformations and assignments of data are not supported",
        "改用脚本任务",
        "Use a script task",
    ),
    "data_renamed": (
        "只有脚本和决策任务可以改名读写数据",
        "Only scripts and decisions read or write data under another name",
        "改用同名数据",
        "Use one name",
    ),
    "loop_source": (
        "多实例须有次数或者集合，二者取一",
        "Multi-instance needs a cardinality or a collection, not both",
        "填写其一",
        "Give one of them",
    ),
    "quantity": (
        "数量须为正整数",
        "The quantity must be a whole number above zero",
        "改正数量",
        "Correct the quantity",
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
    "decision_missing": (
        "决策表不存在或无法读取",
        "The decision table does not exist or cannot be read",
        "改正引用",
        "Correct the reference",
    ),
    "hit_policy": (
        "决策表只支持 UNIQUE、FIRST 和不聚合的 COLLECT",
        "Decision tables are UNIQUE, FIRST or COLLECT without aggregation",
        "改换命中策略",
        "Change the hit policy",
    ),
    "start_missing": ("流程没有开始", "Nothing starts the process", "画出开始事件", "Draw a start event"),
    "unsafe_property": ("同一属性写了两次", "A property is given twice", "保留一个", "Keep one"),
}

INPUT: dict[str, tuple[str, str]] = {
    "state_unknown": ("办件状态的格式未知", "The state has an unknown format"),
    "other_definition": ("办件状态属于另一版本的流程", "The state belongs to another definition"),
    "no_such_start": ("没有这个开始事件", "There is no such start event"),
    "needs_start_event": ("该流程只能由事件启动", "The process is started by an event only"),
    "not_open": ("该任务未在办理中", "This is not an open work item"),
    "signatures_missing": ("尚有加签人未签署意见", "Somebody who was asked to sign first has not signed"),
    "signers_sign": ("加签人只签署意见", "A signer signs, and reports no error"),
    "signing_kind": ("此处不能这样加签", "Signers cannot be added here in this way"),
    "signing_quorum": (
        "加签人须为 1 至 50 名不同的人员，所需人数不得超过加签人数",
        "1 to 50 different signers, of whom no more are needed than are asked",
    ),
    "signing_depth": ("加签最多三层", "Signers are asked in three levels at most"),
    "not_a_signer": ("该任务不是加签任务", "This work item is no signature"),
    "signed_already": ("该加签人已签署意见", "This signer has signed already"),
    "nothing_waits": ("没有等待此消息", "Nothing waits for this"),
    "no_incident": ("该处没有异常", "There is no incident here"),
    "no_return": ("不能退回到该环节", "The task cannot be returned to this one now"),
    "answer_missing": ("缺少本环节须提交的结果", "The answer that is collected here is missing"),
    "answers_not_plain": ("提交内容须为字段和值", "Answers must be names and values"),
}

MOVING: dict[str, tuple[str, str]] = {
    "mapping_source": ("对应表中的来源在原版本中不存在", "The mapping names something the old release does not have"),
    "mapping_target": ("对应表中的目标在新版本中不存在", "The mapping names something the new release does not have"),
    "other_process": ("新版本不是同一流程", "The new release is of another process"),
    "gone": ("新版本中没有这个环节，须指定对应环节", "The new release has no such element; map it to another"),
    "inside": ("所在的活动无法迁移", "The activity around it cannot move"),
    "other_scope": ("只能对应到同一层的环节", "It can be mapped to an element of its own scope only"),
    "other_kind": ("新版本中是另一种环节", "It is another kind of element in the new release"),
    "other_loop": (
        "已开始的重复方式与新版本不同",
        "What has begun to repeat repeats in another way in the new release",
    ),
    "flow_gone": (
        "等候汇合的分支在新版本中不再汇入此处",
        "The flow on which it waits does not lead to this join any more",
    ),
    "join_starved": ("汇合处将永远等不到其中一个分支", "The join would wait for ever on one of its flows"),
    "undo_gone": ("已完成的活动在新版本中无法撤销", "What was completed could not be undone in the new release"),
    "not_lacking": ("办件不缺这个输入", "The case does not lack such an input"),
    "nothing_to_wait_for": ("在新版本中没有可等候的事件", "There would be nothing to wait for in the new release"),
    "deadlock": ("办件将停在原地，无法继续", "Nothing could ever move the case"),
}

INCIDENT: dict[str, tuple[str, str]] = {
    "value_not_storable": ("含有无法保存的值", "A value cannot be stored"),
    "input_missing": ("被调用流程声明的输入没有值", "A declared input has no value"),
    "output_missing": ("被调用流程声明的输出没有值", "A declared output has no value"),
    "unknown_name": ("表达式用到没有值的变量", "An expression names a variable without value"),
    "missing_key": ("表达式取了没有的字段", "An expression asks a mapping for a key it does not have"),
    "missing_index": ("表达式取了没有的序号", "An expression asks a list for an item it does not have"),
    "type": ("表达式中的值类型不符", "An expression meets a value of the wrong type"),
    "expression_failed": ("表达式无法计算", "An expression could not be evaluated"),
    "no_flow": ("没有一条出口的条件成立", "No outgoing flow is true and there is no default"),
    "lane_scope": ("角色的范围无法确定", "The scope of the role could not be found"),
    "timer_invalid": ("定时的时间无法确定", "The timer's moment could not be found"),
    "correlation_failed": ("消息的关联键无法确定", "The message's correlation key could not be found"),
    "not_a_collection": ("多实例的集合不是列表", "The collection of a multi-instance is no list"),
    "cardinality": ("多实例的次数不是非负整数", "The cardinality is no whole number from zero up"),
    "too_many_instances": ("多实例的次数超过上限", "More instances than allowed"),
    "items_shorter": ("多实例的集合变短了", "The collection has become shorter"),
    "decision_failed": ("决策表无法计算", "The decision table could not be evaluated"),
    "decision_overlap": ("决策表有多行同时命中", "More than one rule of a UNIQUE table matches"),
    "budget_exhausted": ("一次办理的步骤超过上限，流程可能有死循环", "More steps than one call may take"),
    "too_much_data": ("办件数据超过 64 kB", "The case's variables are larger than 64 kB"),
    "division_by_zero": ("表达式除以零", "An expression divides by zero"),
    "too_large": ("表达式的结果过大", "The result of an expression is too large"),
    "too_deep": ("表达式或者数据嵌套过深", "An expression or its data are nested too deeply"),
    "too_many_steps": ("表达式的计算步骤过多", "An expression takes too many steps"),
    "not_finite": ("表达式的结果不是有限的数", "The result of an expression is no finite number"),
    "unknown_function": ("表达式用到没有的函数", "An expression calls a function that does not exist"),
    "too_long": ("表达式过长", "An expression is too long"),
    "syntax": ("表达式写法有误", "An expression cannot be read"),
    "no_connector": ("没有可用的外部连接", "There is no such connector"),
    "too_many_tokens": ("办件同时进行的分支过多", "Too many tokens at once"),
}


def diagram(file: str, element: str, rule: str, note: str = "") -> Finding:
    """A finding about a diagram; ``note`` adds an id or the library's own words, never case data."""
    zh, en, mend_zh, mend_en = DIAGRAM[rule]
    more = f" ({note})" if note else ""
    return Finding(where=f"{file}#{element}", rule=rule, zh=zh + more, en=en + more, mend_zh=mend_zh, mend_en=mend_en)


def describe(code: str) -> tuple[str, str]:
    """The sentences of an incident's code: Chinese, English."""
    return sentence(code) or INCIDENT["expression_failed"]


def sentence(code: str) -> tuple[str, str] | None:
    """As ``describe``, None for a code that the machine never gives."""
    return INCIDENT.get(code) or INPUT.get(code) or MOVING.get(code)


def rejected(code: str, where: str = "") -> InputRejected:
    """The error for an input the machine refuses; ``where`` is an element path or empty."""
    zh, en = describe(code)
    return InputRejected([Finding(where=where, rule=code, zh=zh, en=en)], en, code=code)
