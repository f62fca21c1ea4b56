"""The outside world behind one Protocol each: called after the commit only, with an id that stays the same."""

from engine.connectors.checkpoints import CheckpointPlace, Folder
from engine.connectors.sms import HttpGateway, SmsGateway, Spool, Undeliverable

__all__ = ["CheckpointPlace", "Folder", "HttpGateway", "SmsGateway", "Spool", "Undeliverable"]
