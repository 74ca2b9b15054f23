"""Makes the pages of the reference: hooks that MkDocs calls.

The site has the paths of the repository, so that links between its pages hold as they are: README,
guides and results are taken from where they lie. Everything else is derived: a page for each module
from its docstrings, for each model from its declaration, for each command from click.
"""

import re
from pathlib import Path

import command_pages
import model_pages
import module_pages
import notebook_pages
import source_pages
from mkdocs.structure.files import File
from repository import EXAMPLES, REPOSITORY, guides, published_files

#: What stands between backquotes in text, and is not a link yet.
_CODE = re.compile(
    r"<a [^>]*>.*?</a>|<pre.*?</pre>|<h\d.*?</h\d>"
    r"|<code>(?P<name>[\w.\- ]+?)(?P<call>\(\))?</code>",
    re.S,
)


def on_config(config):
    """Sets the navigation."""
    results = sorted(path.name for path in (EXAMPLES / "results").glob("*.md"))
    notebooks = notebook_pages.navigation()
    config.nav = [
        {"Start": "README.md"},
        {"Guides": [f"examples/guides/{name}" for name in guides()]},
        *([{"Notebooks": notebooks}] if notebooks else []),
        {"Models": model_pages.navigation()},
        {"Command line": command_pages.navigation()},
        {"Python": module_pages.navigation()},
        {"Examples": source_pages.navigation()},
        {"Results": [f"examples/results/{name}" for name in results]},
        {"Project": ["CHANGELOG.md", "CONTRIBUTING.md"]},
    ]
    return config


def on_files(files, config):
    """Adds the files of the repository, and the pages that are derived."""
    for path in published_files():
        uri = path.relative_to(REPOSITORY).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    for maker in (model_pages, command_pages, module_pages, notebook_pages, source_pages):
        for uri, text in maker.pages().items():
            files.append(File.generated(config, uri, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Points links to scripts and folders to the pages that show them."""
    if page.file.src_uri == "CHANGELOG.md":
        # It names everything: whoever searches wants the thing itself.
        page.meta["search"] = {"boost": 0.1}
    return source_pages.redirected(markdown, Path(page.file.src_uri).parent)


def on_page_content(html, page, config, files):
    """Links names of the package and commands between backquotes; keeps a spread on its line."""
    return _CODE.sub(_linked, html).replace(" ± ", "\u00a0±\u00a0")


def _linked(match):
    name = match["name"]
    target = name and (command_pages.anchor_of(name) or module_pages.anchor_of(name))
    if not target:
        return match[0]
    return f'<autoref optional identifier="{target}">{match[0]}</autoref>'
