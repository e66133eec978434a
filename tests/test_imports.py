"""Does every module import, and does the core keep its hands off clocks, sockets and chance?"""

import pkgutil
from importlib import import_module

import flyball


def test_every_module_imports() -> None:
    names = [m.name for m in pkgutil.walk_packages(flyball.__path__, "flyball.")]
    assert "flyball.governor.events" in names
    for name in names:
        import_module(name)
