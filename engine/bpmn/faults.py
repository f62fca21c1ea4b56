"""How the machine's own work is interrupted: by a fault, by a BPMN error, or by a spent budget."""

from __future__ import annotations


class Fault(Exception):
    """A node could not do its work; the token stays there with an incident of this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Thrown(Exception):
    """A worker reports a BPMN error for its work item."""

    def __init__(self, code: str, payload: object = None) -> None:
        super().__init__(code)
        self.code, self.payload = code, payload


class Exhausted(Exception):
    """The call needs more steps, tokens or bytes than one call may take; nothing of it is kept."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
