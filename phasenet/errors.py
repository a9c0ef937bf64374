"""What can go wrong: one sentence each, with what, where, got, wanted and the way out."""


class PhasenetError(Exception):
    """Any error that phasenet raises on purpose; the command line prints it as one line."""


class SettingsError(PhasenetError, ValueError):
    """A setting, a coupling or an argument has a value that cannot be used."""


class StudyError(PhasenetError, ValueError):
    """A study module cannot be loaded or does not describe a study."""


class ShapeError(PhasenetError, ValueError):
    """Arrays do not fit together."""


class FileKindError(PhasenetError, ValueError):
    """A file is truncated, foreign, of another kind, or of a format newer than this version."""


class MissingInputError(PhasenetError, FileNotFoundError):
    """A file that a step needs is not there."""
