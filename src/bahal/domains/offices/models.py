"""The tree of offices a connection belongs to."""

from django.db import models


class Office(models.Model):
    """One office. A circle holds divisions, a division sub-divisions, a sub-division distribution centres."""

    id = models.IntegerField(primary_key=True)
    kind = models.TextField(
        choices=[(kind, kind) for kind in ("region", "circle", "division", "subdivision", "centre")]
    )
    name = models.TextField()
    name_hi = models.TextField()
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        app_label = "offices"
