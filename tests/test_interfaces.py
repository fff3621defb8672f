"""
Tests for L{connectproxy.interfaces} as a whole: what third parties write against.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementedBy
from zope.interface.verify import verifyClass

import connectproxy
from connectproxy import interfaces


def modulesOf(package: Any) -> list[Any]:
    """
    Every module of a package.
    """
    root = Path(package.__path__[0])
    names = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        names.append(".".join((package.__name__, *(parts[:-1] if parts[-1] == "__init__" else parts))))
    return [import_module(name) for name in names]


class DocumentationTests(SynchronousTestCase):
    """
    The seams are what third parties write against.
    """

    def test_exports(self) -> None:
        """
        C{__all__} has every interface and value that there is, but for the seams of
        datagrams, which are a sibling contract in a module of their own; and the leg, which
        a listener hands over.
        """
        own = {
            name
            for module in modulesOf(interfaces)
            if module.__name__ not in (interfaces.__name__, f"{interfaces.__name__}.datagrams")
            for name in module.__all__
        }
        self.assertEqual(own | {"Leg"}, set(interfaces.__all__))
        constantsFirst = sorted(interfaces.__all__, key=lambda name: (not name.isupper(), name))
        self.assertEqual(list(interfaces.__all__), constantsFirst)

    def test_everythingIsDescribed(self) -> None:
        """
        Every interface, method and attribute says what it is for.
        """
        for module in modulesOf(interfaces):
            for name in module.__all__:
                value = getattr(module, name)
                self.assertTrue((value.__doc__ or "").strip(), name)
                if isinstance(value, type(Interface)):
                    for each, description in value.namesAndDescriptions():
                        self.assertTrue(description.getDoc().strip(), f"{name}.{each}")


class ImplementerTests(SynchronousTestCase):
    """
    Whoever claims an interface provides it.
    """

    def test_everyClaim(self) -> None:
        """
        Every class of the package that claims one of our interfaces has its methods, with
        parameters that fit.  Objects, with attributes, are looked at where they are tested.
        """
        ours = {
            value
            for module in modulesOf(interfaces)
            for value in vars(module).values()
            if isinstance(value, type(Interface)) and value.__module__.startswith(interfaces.__name__)
        }
        claiming = set()
        for module in modulesOf(connectproxy):
            for value in vars(module).values():
                if isinstance(value, type) and value.__module__ == module.__name__:
                    for interface in ours.intersection(implementedBy(value).flattened()):
                        claiming.add(interface)
                        verifyClass(interface, value, tentative=True)
        # None of the built-in rules looks at server names but those that an operator writes,
        # which are no objects.
        self.assertEqual({each.__name__ for each in ours - claiming}, {"INameRule"})
