"""Every way roads can be refused.

RoadsError
├── RoadFileMissing          the path names no file
├── RoadFileUnreadable       it is there, but is not what it should be, or is damaged
├── RoadFileVersionUnknown   a graph file of a format this program does not know
├── RoadFileTooLarge         more than this program is willing to hold in memory
├── NoRoadsFound             a sound file without a single road for cars
├── RoadGraphInvalid         arrays that do not describe a graph
└── ForeignTargets           targets prepared by another adapter or for another graph
"""


class RoadsError(Exception):
    """Roads could not be read, built or asked."""


class RoadFileMissing(RoadsError):
    """There is no such road file."""


class RoadFileUnreadable(RoadsError):
    """The road file is damaged or is of another kind."""


class RoadFileVersionUnknown(RoadsError):
    """The road file was written by another version; build it again."""


class RoadFileTooLarge(RoadsError):
    """The road file is larger than the limit; cut a smaller extract."""


class NoRoadsFound(RoadsError):
    """The file has no road that a car may use."""


class RoadGraphInvalid(RoadsError):
    """The arrays do not describe a road graph."""


class ForeignTargets(RoadsError):
    """The targets were prepared by other travel times; prepare them again here."""
