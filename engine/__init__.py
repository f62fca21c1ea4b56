"""The engine: executes processes, keeps their history as evidence, counts the law's time. It knows no web.

Rooms, from the ground up: ``errors`` and ``model`` (facts and nouns); ``registers``, ``calendar``, ``deadlines``,
``forms``, ``documents`` (pure: files and values in, values out); ``bpmn`` (diagrams and tokens; no I/O, no clock)
and ``store`` (the only room that knows SQL); ``commands`` (the verbs: one call, one transaction); ``connectors``
(the outside world); ``worker`` (what is due, by calling commands, then connectors).
"""
