"""How the command line answers: a sentence for people, JSON for programs, refusals in the reader's language."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Mapping
from typing import Any

import psycopg
import typer

from bahal.shared.errors import ENVIRONMENT, Refusal
from bahal.shared.text import Language, language_of


class MachineFailed(Refusal):
    """The machine refused something: a full disk, a missing right, a limit."""

    code = "machine_failed"
    exit_code = ENVIRONMENT
    hi = "मशीन ने मना किया: {why} ({path})।"
    en = "The machine refused: {why} ({path})."

    @classmethod
    def of(cls, failure: OSError) -> MachineFailed:
        """The refusal for an operating system's error; a full disk and a full file table in plain words."""
        words = {
            errno.ENOSPC: "no space left on the disk",
            errno.EMFILE: "too many open files; raise the limit with `ulimit -n`",
            errno.EACCES: "permission denied",
        }
        why = words.get(failure.errno or 0) or failure.strerror or str(failure)
        return cls(why=why, path=str(failure.filename or "-"))


class DatabaseSilent(Refusal):
    """The instance's database cannot be entered, or was lost on the way."""

    code = "database_silent"
    exit_code = ENVIRONMENT
    hi = "डेटाबेस उत्तर नहीं दे रहा: {why}"
    en = "The database does not answer: {why}"

    @classmethod
    def of(cls, failure: BaseException | None) -> DatabaseSilent | None:
        """The refusal for a driver's error, also one that Django has wrapped; None for any other failure."""
        for each in (failure, failure and failure.__cause__):
            if isinstance(each, psycopg.OperationalError):
                words = str(each).strip().splitlines() or [type(each).__name__]
                return cls(why=words[0].rpartition("failed: ")[2])
        return None


def refuse(refusal: Refusal, *, as_json: bool) -> None:
    """Write a refusal to stderr."""
    if as_json:
        sys.stderr.write(json.dumps(refusal.as_json(), ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(refusal.text(language_of()) + "\n")


def answer(result: Mapping[str, Any], *, as_json: bool, hi: str, en: str, lang: Language | None = None) -> None:
    """Print a result: as one JSON object, or the sentence of the reader's language filled from it."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, default=str))
    else:
        typer.echo((hi if (lang or language_of()) == "hi" else en).format_map(result))
