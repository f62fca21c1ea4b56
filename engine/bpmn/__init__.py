"""The only package that knows BPMN XML or SpiffWorkflow: compiles diagrams and runs them as BPMN 2.0 says."""

from engine.bpmn.compiler import compile_process, link
from engine.bpmn.definition import Definition, Flow, Lane, Loop, Node, Operation, Process, Scope, Trigger
from engine.bpmn.moving import Line, Plan, migrate, plan
from engine.bpmn.reader import read_xml
from engine.bpmn.restoring import restore
from engine.bpmn.returning import returnable, send_back, undone
from engine.bpmn.runtime import BUDGET, complete, deliver, fire, read, resume, start
from engine.bpmn.sentences import describe, sentence
from engine.bpmn.signing import Asked, add_signers, asked, remove_signer, repeated_by
from engine.bpmn.state import FORMAT, NEWEST_WITH, SEMANTICS, semantics_of
from engine.bpmn.steps import Act, Entry, Incident, Sent, Step, Wait, Work, next_due

__all__ = [
    "BUDGET",
    "FORMAT",
    "NEWEST_WITH",
    "SEMANTICS",
    "Act",
    "Asked",
    "Definition",
    "Entry",
    "Flow",
    "Incident",
    "Lane",
    "Line",
    "Loop",
    "Node",
    "Operation",
    "Plan",
    "Process",
    "Scope",
    "Sent",
    "Step",
    "Trigger",
    "Wait",
    "Work",
    "add_signers",
    "asked",
    "compile_process",
    "complete",
    "deliver",
    "describe",
    "fire",
    "link",
    "migrate",
    "next_due",
    "plan",
    "read",
    "read_xml",
    "remove_signer",
    "repeated_by",
    "restore",
    "resume",
    "returnable",
    "semantics_of",
    "send_back",
    "sentence",
    "start",
    "undone",
]
