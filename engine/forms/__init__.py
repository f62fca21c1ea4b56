"""Forms of human tasks: JSON Schema files bundled, answers checked and typed, and the fields a screen shows."""

from engine.forms.answers import attachments, check, prefill
from engine.forms.bundle import bundle
from engine.forms.fields import Choice, Field, fields, unplaced
from engine.forms.gate import check_form
from engine.forms.posted import from_fields
from engine.forms.schema import Form, read_form

__all__ = [
    "Choice",
    "Field",
    "Form",
    "attachments",
    "bundle",
    "check",
    "check_form",
    "fields",
    "from_fields",
    "prefill",
    "read_form",
    "unplaced",
]
