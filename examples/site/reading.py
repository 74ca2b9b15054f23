"""How the reference reads the source of the package: an extension of Griffe."""

import re

import griffe
from names import ROOT, definition_of, names_of, public_modules

from keras_devae.models.catalogue import MODEL_CATALOGUE
from keras_devae.models.options import JACOBIAN_OPTIONS

#: How a class names its declaration, and a parameter its default in it.
_MODEL = re.compile(r"MODEL_CATALOGUE\[['\"](\w+)['\"]\]")
_DEFAULT = re.compile(
    r"(?:declaration\.defaults|JACOBIAN_OPTIONS)\[['\"](\w+)['\"]\](?:\.default)?"
)


class PublicNames(griffe.Extension):
    """Finds the names that packages import on first use, and shows defaults as values."""

    def on_package(self, *, pkg, loader, **kwargs):
        """Adds to each package the public names that its source does not spell out."""
        for path in public_modules():
            module = pkg[path.removeprefix(f"{ROOT}.")]
            for name in names_of(path):
                target = definition_of(path, name)
                if target is not None and name not in module.members:
                    module.set_member(name, griffe.Alias(name, target, parent=module))

    def on_object(self, *, obj, loader, **kwargs):
        """Lets examples be read as code: the section that griffe knows is in the plural."""
        if obj.docstring:
            text = obj.docstring.value
            obj.docstring.value = re.sub(r"^( *)Example:$", r"\1Examples:", text, flags=re.M)

    def on_class_members(self, *, node, cls, agent, **kwargs):
        """Shows declared defaults of models as values."""
        if "__init__" not in cls.members:
            return
        declaration = str(getattr(cls.members.get("declaration"), "value", ""))
        defaults = {name: option.default for name, option in JACOBIAN_OPTIONS.items()}
        if model := _MODEL.fullmatch(declaration):
            defaults |= MODEL_CATALOGUE[model[1]].defaults
        for parameter in cls.members["__init__"].parameters:
            if named := _DEFAULT.fullmatch(str(parameter.default)):
                parameter.default = repr(defaults[named[1]])
