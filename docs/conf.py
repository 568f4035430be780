"""Sphinx configuration: `sphinx-build -W docs OUTPUT`, with the extra `docs` installed."""

from typing import Any, Optional

from docutils import nodes
from sphinx.addnodes import download_reference, pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

import cutmeshort
from cutmeshort.models import Model

project = "cutmeshort"
version = release = cutmeshort.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 3
# In docstrings, text in single backticks is code, as in Markdown.
default_role = "code"
nitpicky = True
# No links are needed for the types of other packages, for the type variable of ApiResponse, and for
# the fields of `assert_lead` and `assert_sale`, and the settings of the sandbox.
_FIELDS = r"sandbox\.(comparison\.\w+Fields|state\.settings\.SettingOptions)"
_UNLINKED = rf"cutmeshort\.(api_response\.T|{_FIELDS})"
nitpick_ignore_regex = [("py:.*", rf"(?!cutmeshort).*|{_UNLINKED}")]

napoleon_use_ivar = True
autodoc_mock_imports = ["amqp", "celery", "kombu"]
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 80

html_theme = "furo"
html_title = f"cutmeshort {release}"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False


def _find_public_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, text: nodes.Element
) -> Optional[nodes.reference]:
    """Link to the public module that documents a class, not to the module that defines it."""
    name = node.get("reftarget", "").rpartition(".")[2]
    for full_name, entry in env.domains.python_domain.objects.items():
        if full_name.rpartition(".")[2] == name and entry.objtype in ("class", "exception"):
            return make_refnode(app.builder, node["refdoc"], entry.docname, entry.node_id, text)
    return None


def _add_fields(
    _app: Sphinx, _what: str, _name: str, value: Any, _options: Any, lines: list[str]
) -> None:
    """Add the fields of a model, which have descriptions instead of docstrings."""
    if isinstance(value, type) and issubclass(value, Model):
        lines += ["", "Attributes:"]
        lines += [f"    {name}: {field.description}" for name, field in value.model_fields.items()]


def _link_readme(_app: Sphinx, document: nodes.document) -> None:
    """Turn links to the README, which is not a page of the site, into downloads of the file."""
    for node in list(document.findall(pending_xref)):
        if node["reftarget"].endswith("/README"):
            target = {"refdoc": node["refdoc"], "reftarget": "/../README.md"}
            node.replace_self(download_reference("", "", *node.children, **target))


def setup(app: Sphinx) -> None:
    """Connect the handlers; priority 400 is before napoleon's and Sphinx's own, which have 500."""
    app.connect("missing-reference", _find_public_name)
    app.connect("autodoc-process-docstring", _add_fields, priority=400)
    app.connect("doctree-read", _link_readme, priority=400)
