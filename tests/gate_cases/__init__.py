"""Diagrams that the gate must refuse, drawn by hand, each with the element a designer has to look at."""
