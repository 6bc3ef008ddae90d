"""The one error the engine shows to people."""


class AeoliaError(Exception):
    """One line for a person: what, where, what is allowed."""
