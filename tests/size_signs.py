"""List the signs that a concept is missing: long files, long functions, many parameters.

Nothing fails for them: they are places to look at. Run by `make check`.
"""

import ast
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "roadworthy"
FILE, FUNCTION, PARAMETERS = 400, 40, 6


def main() -> None:
    """Print one line per sign."""
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(SOURCE.parent)
        if (lines := text.count("\n")) > FILE:
            print(f"{name}: {lines} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                length = (node.end_lineno or 0) - node.lineno - _docstring_lines(node)
                many = len(node.args.args)
                if length > FUNCTION:
                    print(f"{name}:{node.lineno}: {node.name} has {length} lines")
                if many > PARAMETERS:
                    print(f"{name}:{node.lineno}: {node.name} has {many} positional parameters")


def _docstring_lines(node: ast.FunctionDef) -> int:
    first = node.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) - first.lineno + 1 if is_text else 0


if __name__ == "__main__":
    main()
