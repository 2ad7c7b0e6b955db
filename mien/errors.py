"""The one error users see; on its own, so that the command line can start without torch."""


class MienError(Exception):
    """Something the user can mend; the message names the value and the remedy."""
