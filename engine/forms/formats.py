"""What texts of a certain form look like: identity numbers, credit codes, telephones, dates, uploaded files."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ID = re.compile(r"[0-9]{17}[0-9Xx]", re.ASCII)
_CREDIT = re.compile(rf"[{CREDIT_ALPHABET}]{{2}}[0-9]{{6}}[{CREDIT_ALPHABET}]{{10}}")
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_LANDLINE = re.compile(r"0[0-9]{2,3}-?[0-9]{7,8}(-[0-9]{1,6})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ATTACHMENT = re.compile(r"sha256:[0-9a-f]{64}")


def id_number(text: str) -> bool:
    """Resident identity number of 18 characters: a real date of birth and the check character of GB 11643.

    The check character is ISO 7064 MOD 11-2; a small x is taken for X. Whether the district code exists is not
    checked: districts come and go, numbers stay.
    """
    if not _ID.fullmatch(text) or not _day(text[6:14], 1850):
        return False
    total = sum(int(digit) * pow(2, 17 - place, 11) for place, digit in enumerate(text[:17]))
    return "10X98765432"[total % 11] == text[17].upper()


def credit_code(text: str) -> bool:
    """Unified social credit code: 18 characters without I, O, S, V, Z; the last makes mod 31 right (GB 32100)."""
    if not _CREDIT.fullmatch(text):
        return False
    total = sum(CREDIT_ALPHABET.index(c) * pow(3, place, 31) for place, c in enumerate(text[:17]))
    return CREDIT_ALPHABET[-total % 31] == text[17]


def mobile(text: str) -> bool:
    """A mainland mobile number of 11 digits."""
    return _MOBILE.fullmatch(text) is not None


def phone(text: str) -> bool:
    """A mainland mobile number, or a landline with its area code, with or without hyphen and extension."""
    return mobile(text) or _LANDLINE.fullmatch(text) is not None


def day(text: str) -> bool:
    """A date that exists, written 2026-01-31, from 1900 to 2999."""
    return _DATE.fullmatch(text) is not None and _day(text.replace("-", ""), 1900)


def attachment(text: str) -> bool:
    """The name of an uploaded file: ``sha256:`` and 64 hexadecimal digits."""
    return _ATTACHMENT.fullmatch(text) is not None


def _day(digits: str, earliest: int) -> bool:
    try:
        found = date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return earliest <= found.year <= 2999


FORMATS: dict[str, Callable[[str], bool]] = {
    "id-number": id_number,
    "credit-code": credit_code,
    "phone": phone,
    "mobile": mobile,
    "date": day,
    "attachment": attachment,
}
