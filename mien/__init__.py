"""mien: emotion representations learnt from communication."""

__version__ = "0.1.0.dev0"
