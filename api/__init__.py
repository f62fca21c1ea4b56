"""The web: HTTP in, verbs of `engine.commands` called, JSON and pages out. No SQL, no BPMN, no rule of the law."""
