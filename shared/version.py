"""The version of the installed package."""

from importlib.metadata import version

VERSION = version("tellurstori-musicgen")
SERVICE = "TellUrStori MusicGen Service"
