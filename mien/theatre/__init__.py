"""The theatre: short generated scenes with subtitles, to train and test on where no film may be shown."""

from mien.theatre.settings import TheatreSettings as TheatreSettings
from mien.theatre.write import Theatre as Theatre
from mien.theatre.write import VideoName as VideoName
from mien.theatre.write import write_theatre as write_theatre
