"""The outside world behind one Protocol each: called after the commit only, with an id that stays the same."""

from engine.connectors.sms import HttpGateway, SmsGateway, Spool, Undeliverable

__all__ = ["HttpGateway", "SmsGateway", "Spool", "Undeliverable"]
