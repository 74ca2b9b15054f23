"""Pages of the modules: for each its public names, with what their docstrings say."""

import functools

from names import ROOT, names_of, public_modules, purpose_of, short

from keras_devae.models.catalogue import MODEL_CATALOGUE

FOLDER = "python"
#: Modules of which a part is public: the types that signatures name.
_TYPES = {f"{ROOT}.checks": ("AnyPath", "Array", "Tensor")}
_HEADING = """
::: {path}
    options:
      heading: "{heading}"
      heading_level: {level}
      toc_label: "{label}"
"""
#: Options for the docstring of a module without its members.
_ALONE = "      members: false\n      show_symbol_type_heading: false\n"


def _page_of(module):
    return f"{FOLDER}/{module.removeprefix(ROOT + '.')}.md"


def shown_names():
    """Returns, by module, the names that its page documents."""
    models = {declaration.class_name for declaration in MODEL_CATALOGUE.values()}
    found = {module: names_of(module) for module in public_modules()}
    found[f"{ROOT}.models"] = [n for n in found[f"{ROOT}.models"] if n not in models]
    return found | _TYPES


def entry(path, heading, label, level=2, extra=""):
    """Returns the lines by which mkdocstrings documents a name."""
    return _HEADING.format(path=path, heading=heading, label=label, level=level) + extra


def pages():
    """Returns the text of each page by its place in the site."""
    shown = {_page_of(module): _page(module, names) for module, names in shown_names().items()}
    return {f"{FOLDER}/index.md": _overview(), **shown}


def _overview():
    rows = [
        f"| [{short(module)}]({_page_of(module).removeprefix(FOLDER + '/')}) "
        f"| {purpose_of(module).replace('|', '&#124;')} |\n"
        for module in shown_names()
    ]
    title = entry(ROOT, "Python", "Python", 1, _ALONE)
    return f"{title}\n| module | what it holds |\n| --- | --- |\n{''.join(rows)}"


def _page(module, names):
    title, label = short(module), module.removeprefix(f"{ROOT}.")
    parts = [entry(module, title, label, 1, _ALONE)]
    if module == f"{ROOT}.models":
        parts.append("\nThe models themselves have [a page each](../models/index.md).\n")
    for name in names:
        inherited = "      inherited_members: true\n"
        parts.append(entry(f"{module}.{name}", f"{title}.{name}", name, 2, inherited))
    return "".join(parts)


def navigation():
    """Returns the pages, titled as users type the modules."""
    modules = [{short(module): _page_of(module)} for module in shown_names()]
    return [f"{FOLDER}/index.md", *modules]


@functools.cache
def _anchors():
    """Returns what users call a name -> its full name; bare names only where they say enough."""
    models = [declaration.class_name for declaration in MODEL_CATALOGUE.values()]
    full = {f"{ROOT}.{name}": f"{ROOT}.models.{name}" for name in models}
    for module in public_modules():
        full |= {f"{module}.{name}": f"{module}.{name}" for name in names_of(module)}
        full[module] = module
    called = full | {short(name): path for name, path in full.items()}
    bare = {}
    for path in full.values():
        bare.setdefault(path.rsplit(".", 1)[1], set()).add(path)
    # A word such as `save` may be anything.
    telling = {n: p for n, p in bare.items() if len(p) == 1 and ("_" in n or n != n.lower())}
    return {name: min(paths) for name, paths in telling.items()} | called


def anchor_of(text):
    """Returns the anchor of what a text names, if it is public: a name, or a member of a class."""
    if text in _anchors():
        return _anchors()[text]
    owner, _, member = text.rpartition(".")
    return f"{_anchors()[owner]}.{member}" if owner in _anchors() else None
