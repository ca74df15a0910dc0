"""What every page is made of: its templates and style, one script, and the policy that allows no other."""

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, styles: tuple[str, ...], script: str, **shown: Any) -> str:
    """Fill a template; `shown` is whatever the template names."""
    return (
        _templates()
        .get_template(template)
        .render(
            script=script,
            script_hash=_hash(script),
            style="\n".join(read(name) for name in styles),
            **shown,
        )
    )


@cache
def drawing_script() -> str:
    """Bundle the drawing library with the page's own lines."""
    import vl_convert

    return vl_convert.javascript_bundle(read("draw.js"))


@cache
def matrix_script(figures: bool) -> str:
    """Bundle the lines of pages with a matrix; the drawing library comes along where there are figures."""
    import vl_convert

    own = read("draw.js") + read("tips.js")
    return vl_convert.javascript_bundle(own) if figures else own


def read(name: str) -> str:
    """Read a file that lies with the templates."""
    return (files("roadworthy.reports") / "templates" / name).read_text("utf-8")


@cache
def _templates() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("roadworthy.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["code"] = with_code
    made.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": True}
    return made


def with_code(said: str) -> Markup:
    """Set what stands between backticks as code; all else is escaped as ever."""
    return Markup(re.sub(r"`([^`<>]+)`", r"<code>\1</code>", str(escape(said))))


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
