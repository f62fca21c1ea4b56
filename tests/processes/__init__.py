"""Stories: each follows one path through a diagram over HTTP, and says what people get and what is refused."""
