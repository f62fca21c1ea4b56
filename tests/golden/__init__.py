"""States as released versions of the machine wrote them, and how each goes on to its end."""
