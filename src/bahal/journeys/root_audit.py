"""A Merkle root over the day's sealed entries goes to the second place, and then beside the batches."""

from datetime import datetime

from bahal.foundation.audit.checking import Root
from bahal.foundation.audit.errors import SecondPlaceSilent
from bahal.foundation.audit.roots import Tree, keep_root, next_root
from bahal.foundation.transactions import transaction
from bahal.gateways.witness.places import PlaceSilent, Witness
from bahal.shared.clock import day_in_india


def root_audit(tree: Tree, witness: Witness, *, at: datetime) -> Root | None:
    """Root what was sealed since the last root, or None if nothing was. `at` is the wall's time.

    The second place comes first: a root that stands there and not here is as true, and the next one covers as much.

    :raises SecondPlaceSilent: the second place did not take it; nothing was written here.
    """
    root = next_root(tree, day=f"{day_in_india(at):%Y-%m-%d}", at=at)
    if root is None:
        return None
    try:
        witness.keep(root.line())
    except PlaceSilent as silent:
        raise SecondPlaceSilent(place=silent.place, why=silent.why) from silent
    with transaction():
        keep_root(root)
    return root
