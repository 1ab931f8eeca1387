"""A user's words on their way into messages, and into other notations."""
