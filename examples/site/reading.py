"""How the reference reads the source of the package: an extension of Griffe."""

import re

import griffe
from names import ROOT, definition_of, names_of, public_modules

from keras_devae.models.catalogue import MODEL_CATALOGUE


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

    def on_class(self, *, cls, loader, **kwargs):
        """Shows the declared defaults of a model's options instead of where they come from."""
        declaration = cls.members.get("declaration")
        model = re.search(r'MODEL_CATALOGUE\["(\w+)"\]', str(getattr(declaration, "value", "")))
        if model is None or "__init__" not in cls.members:
            return
        defaults = MODEL_CATALOGUE[model[1]].defaults
        for parameter in cls["__init__"].parameters:
            named = re.fullmatch(
                r"declaration\.defaults\[['\"](\w+)['\"]\]", str(parameter.default)
            )
            if named:
                parameter.default = repr(defaults[named[1]])
