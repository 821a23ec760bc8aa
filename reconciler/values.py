"""`dataclass` of the standard library, made in a twentieth of the time where a class is a frozen value.

The standard library compiles six methods for each frozen class, one by one: with a hundred of them that was a fifth of
a whole `plan`. Here a value's `__init__` is compiled once it is needed, and the rest is shared. It behaves in the same
way (tests/test_values.py holds every value of the package against its twin), and for the type checker it is the same
thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - exported
else:
    import dataclasses
    import inspect
    from dataclasses import MISSING, FrozenInstanceError
    from operator import attrgetter

    def dataclass(cls=None, /, *, frozen=False, slots=False, kw_only=False, **options):
        """Make `cls` a dataclass; quickly where it is frozen, slotted, keyword-only and nothing else."""
        if cls is None:
            return lambda named: dataclass(named, frozen=frozen, slots=slots, kw_only=kw_only, **options)
        if options or not (frozen and slots and kw_only):
            return dataclasses.dataclass(cls, frozen=frozen, slots=slots, kw_only=kw_only, **options)
        made = _with_slots(cls, _own_fields(cls))
        for name, method in _methods(made):
            if name not in vars(made) or name in _NEVER_OWN:
                setattr(made, name, method)
        return made

    @dataclasses.dataclass(repr=False, eq=False)
    class _Sample:
        """What the standard library marks its classes and their members with."""

        member: int

    _PLAIN_MEMBER = dataclasses.fields(_Sample)[0]._field_type  # noqa: SLF001 - what `fields` and `replace` look for

    def _own_fields(cls):
        """The members that `cls` itself names, as the standard library describes them."""
        fields = {}
        for name, annotation in inspect.get_annotations(cls).items():
            given = vars(cls).get(name, MISSING)
            if str(annotation).startswith(("ClassVar", "InitVar", "KW_ONLY")):
                raise TypeError(f"{cls.__qualname__}.{name}: a frozen value has members and nothing else")
            field = given if isinstance(given, dataclasses.Field) else dataclasses.field(default=given)
            if field.default is not MISSING and field.default.__class__.__hash__ is None:
                raise ValueError(f"{cls.__qualname__}.{name}: all values would share that default: use default_factory")
            field.name, field.type, field.kw_only, field._field_type = name, annotation, True, _PLAIN_MEMBER  # noqa: SLF001
            fields[name] = field
        return fields

    def _with_slots(cls, own):
        """The class anew, because only a class that is being made can be given slots."""
        fields = {}
        for base in reversed(cls.__mro__[1:]):
            fields |= getattr(base, "__dataclass_fields__", {})
        members = {name: it for name, it in vars(cls).items() if name not in own and name not in _OF_THE_OLD_CLASS}
        members |= {
            "__slots__": tuple(name for name in own if name not in fields),
            "__match_args__": (),
            "__dataclass_fields__": fields | own,
            "__dataclass_params__": _Sample.__dataclass_params__,
        }
        made = type(cls)(cls.__name__, cls.__bases__, members)
        made.__qualname__ = cls.__qualname__
        return made

    _OF_THE_OLD_CLASS = frozenset({"__dict__", "__weakref__"})
    _NEVER_OWN = frozenset({"__init__", "__setattr__", "__delattr__"})

    def _methods(made):
        fields = dataclasses.fields(made)
        compared = _reader([f.name for f in fields if f.compare])
        hashed = _reader([f.name for f in fields if (f.compare if f.hash is None else f.hash)])
        shown = [f.name for f in fields if f.repr]
        setters = {f.name: getattr(made, f.name).__set__ for f in fields}  # slots: no way round them

        def __eq__(self, other):
            return compared(self) == compared(other) if other.__class__ is self.__class__ else NotImplemented

        def __hash__(self):
            return hash(hashed(self))

        def __repr__(self):
            return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

        def __setattr__(self, name, value):
            raise FrozenInstanceError(f"cannot assign to field {name!r}")

        def __delattr__(self, name):
            raise FrozenInstanceError(f"cannot delete field {name!r}")

        def __getstate__(self):
            return [getattr(self, name) for name in setters]

        def __setstate__(self, state):
            for put, value in zip(setters.values(), state, strict=True):
                put(self, value)

        made_of = (__eq__, __hash__, __repr__, __setattr__, __delattr__, __getstate__, __setstate__)
        yield "__init__", _Init(made, fields, setters)
        for method in made_of:
            method.__qualname__ = f"{made.__qualname__}.{method.__name__}"
            yield method.__name__, method

    def _reader(names):
        """All these members at once, as a tuple."""
        if len(names) > 1:
            return attrgetter(*names)
        return (lambda self: (getattr(self, names[0]),)) if names else (lambda _self: ())

    class _Init:
        """An `__init__` that is compiled when somebody first asks for it: most values are never made in one run."""

        def __init__(self, *made_of):
            self.made_of = made_of

        def __get__(self, instance, owner=None):
            init = self.made_of[0].__init__ = _init(*self.made_of)
            return init.__get__(instance, owner)

    def _init(made, fields, setters):
        scope, parameters, body = {"MISSING": MISSING}, [], []
        for number, field in enumerate(fields):
            name, value = field.name, field.name
            scope[f"set_{number}"] = setters[name]
            if field.default is not MISSING:
                scope[f"default_{number}"] = field.default
                parameters.append(f"{name}=default_{number}")
            elif field.default_factory is not MISSING:
                scope[f"make_{number}"] = field.default_factory
                parameters.append(f"{name}=MISSING")
                value = f"make_{number}() if {name} is MISSING else {name}"
            else:
                parameters.append(name)
            body.append(f"set_{number}(self, {value})")
        if hasattr(made, "__post_init__"):
            body.append("self.__post_init__()")
        star = "*, " if parameters else ""
        lines = "\n ".join(body) or "pass"
        exec(f"def __init__(self, {star}{', '.join(parameters)}):\n {lines}", scope)  # noqa: S102 - names of members
        init = scope["__init__"]
        init.__qualname__ = f"{made.__qualname__}.__init__"
        return init
