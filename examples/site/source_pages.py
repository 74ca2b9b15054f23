"""Pages that show the example scripts, and lists of the files in folders that pages link to."""

import ast
import re
from pathlib import PurePosixPath

from repository import EXAMPLES, REPOSITORY

#: Suffix of a source -> the language of its code.
_LANGUAGES = {".py": "python", ".toml": "toml"}
#: Suffixes of files that have a page of their own.
_SHOWN = (*_LANGUAGES, ".ipynb")
_LINK = re.compile(r"\]\((?P<path>[^)#:\s]+)(?P<anchor>#[^)\s]*)?\)")


def _sources():
    return sorted(
        p for p in EXAMPLES.rglob("*") if p.suffix in _LANGUAGES and "site" not in p.parts
    )


def _page_of(source):
    return PurePosixPath(source.relative_to(REPOSITORY).as_posix() + ".md")


def _folders():
    inner = [path for path in EXAMPLES.rglob("*") if path.is_dir()]
    return [p for p in [EXAMPLES, *inner] if not {"site", "__pycache__"} & set(p.parts)]


def navigation():
    """Returns the pages that the navigation shows: the scripts to copy."""
    scripts = [_page_of(path) for path in _sources() if path.parent == EXAMPLES]
    return ["examples/index.md", "examples/datasets.md", *map(str, scripts)]


def pages():
    """Returns the text of each page by its place in the site."""
    shown = {str(_page_of(path)): _source_page(path) for path in _sources()}
    lists = {
        f"{folder.relative_to(REPOSITORY).as_posix()}/index.md": _list(folder)
        for folder in _folders()
        if not (folder / "README.md").exists()
    }
    return shown | lists


def _source_page(path):
    code = path.read_text(encoding="utf-8")
    return f"# {path.name}\n\n````{_LANGUAGES[path.suffix]}\n{code}````\n"


def _list(folder):
    title = "Examples" if folder == EXAMPLES else folder.relative_to(EXAMPLES).as_posix()
    lines = [f"# {title}", ""]
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path in _folders():
            lines.append(f"- [{path.name}/]({path.name}/index.md)")
        elif path.is_file():
            shown = ".md" if path.suffix in _SHOWN else ""
            purpose = _purpose(path)
            lines.append(f"- [{path.name}]({path.name}{shown})" + (purpose and f": {purpose}"))
    return "\n".join(lines) + "\n"


def _purpose(path):
    """Returns what a file is for: the first sentence of its docstring or comment, or its title."""
    if path.suffix not in (".py", ".toml", ".md"):
        return ""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text.partition("\n")[0].removeprefix("# ") if text.startswith("# ") else ""
    if path.suffix == ".py":
        text = ast.get_docstring(ast.parse(text)) or ""
    words = " ".join(text.replace("#", " ").split())
    return re.split(r"(?<=[.:]) ", words)[0].rstrip(":")


def redirected(markdown, folder):
    """Returns a page whose links to scripts and folders lead to the pages that show them."""

    def target(match):
        path = (REPOSITORY / folder / match["path"]).resolve()
        link = match["path"].rstrip("/")
        if path.is_dir():
            name = "README.md" if (path / "README.md").exists() else "index.md"
            return f"]({link}/{name})" if path in _folders() else match[0]
        if path.suffix in _SHOWN and path.exists():
            return f"]({link}.md)"
        return match[0]

    return _LINK.sub(target, markdown)
