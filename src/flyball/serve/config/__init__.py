"""What has the operator decided? (The fleet file, read and checked whole before any of it acts.)"""

from flyball.serve.config.errors import ConfigError, ConfigErrors
from flyball.serve.config.load import Config, load

__all__ = ["Config", "ConfigError", "ConfigErrors", "load"]
