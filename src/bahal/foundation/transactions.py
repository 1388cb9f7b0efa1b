"""Who owns a transaction: a journey opens it, operations require it, messages go out after it.

A journey is one transaction and never runs inside another; what must be seen by the outside world only if the journey
succeeded is handed to `run_after_commit`.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from django.db import connection
from django.db import transaction as django_transaction

Given = ParamSpec("Given")
Result = TypeVar("Result")


@contextmanager
def transaction() -> Iterator[None]:
    """I own the transaction: it commits when the block ends and is undone when the block raises.

    :raises RuntimeError: one is open already; a journey was called from within a journey.
    """
    with django_transaction.atomic(durable=True):
        yield


def transaction_required(operation: Callable[Given, Result]) -> Callable[Given, Result]:
    """My caller owns the transaction.

    :raises RuntimeError: when called outside one.
    """

    @functools.wraps(operation)
    def within(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        if not connection.in_atomic_block:
            raise RuntimeError(f"{operation.__module__}.{operation.__qualname__} needs its caller's transaction")
        return operation(*args, **kwargs)

    return within


@contextmanager
def together() -> Iterator[None]:
    """Send the statements of the block without waiting for each: one round trip up to the next that returns rows.

    How many rows a statement touched is not known inside, and what is wrong with one shows at the latest when the block
    ends. The caller is in a transaction, which is undone then.
    """
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


def run_after_commit(act: Callable[[], object]) -> None:
    """Run `act` once the transaction has committed, or at once outside one; never if it is undone."""
    django_transaction.on_commit(act)
