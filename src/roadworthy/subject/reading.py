"""How a file is to be read, where the user knows better than what can be found out from it."""

import contextlib
from dataclasses import dataclass

from roadworthy.errors import UserError


@dataclass(frozen=True)
class Reading:
    """Conventions of a file of data; None: found out.

    Parameters
    ----------
    encoding, delimiter : str, optional
        Of a CSV file.
    decimal : {".", ","}, optional
        Decimal mark of numbers that are spelled as text.
    missing_codes : tuple of str
        Spellings and numbers that mean "no value" beside the usual ones, in any column.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    missing_codes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        import codecs

        try:
            codecs.lookup(self.encoding or "utf-8")
        except LookupError:
            raise UserError(
                f'--encoding {self.encoding}: no such encoding. Give one such as "utf-8", "utf-16", '
                '"cp1252" or "latin-1".'
            ) from None

    @property
    def missing_numbers(self) -> dict[float, str]:
        """Those of the missing codes that are numbers, and how each is spelled."""
        found: dict[float, str] = {}
        for code in self.missing_codes:
            with contextlib.suppress(ValueError):
                found[float(code.replace(",", ".") if self.decimal == "," else code)] = code
        return found
