"""Feeder > transformer > connection. A connection's id is the ten-digit consumer number printed on the bill."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Feeder(models.Model):
    """An 11 kV feeder out of a substation, in a town or in the country (`setting`): promises differ by that."""

    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    substation = models.TextField()
    subdivision = models.IntegerField()
    setting = models.TextField(db_default="urban", choices=[(setting, setting) for setting in ("urban", "rural")])

    class Meta:
        app_label = "network"


class Transformer(models.Model):
    """A distribution transformer; positions in degrees (WGS 84)."""

    id = models.IntegerField(primary_key=True)
    code = models.TextField(unique=True)
    feeder = models.ForeignKey(Feeder, on_delete=models.PROTECT)
    kva = models.IntegerField()
    latitude = models.FloatField()
    longitude = models.FloatField()

    class Meta:
        app_label = "network"


class Connection(models.Model):
    """A supply point with its account. `centre` is the distribution centre (an office)."""

    id = models.BigIntegerField(primary_key=True)
    transformer = models.ForeignKey(Transformer, on_delete=models.PROTECT)
    centre = models.IntegerField()
    category = models.TextField(default="LV-1")
    phase = models.SmallIntegerField(default=1)
    sanctioned_load_w = models.IntegerField(default=1000)
    connected_on = models.DateField()
    latitude = models.FloatField()
    longitude = models.FloatField()

    class Meta:
        app_label = "network"
        indexes = [models.Index(fields=["centre"])]


class InputMeter(models.Model):
    """A meter with a role: it measures what goes into a transformer or feeder.

    Its energy counts `factor` times (instrument transformers). It stands on the days `[from_on, until)`.
    """

    id = models.BigAutoField(primary_key=True)
    meter = models.TextField()
    scope = models.TextField(choices=[(scope, scope) for scope in ("transformer", "feeder")])
    place = models.IntegerField()
    factor = models.IntegerField(default=1)
    from_on = models.DateField()
    until = models.DateField(null=True)

    class Meta:
        app_label = "network"
        constraints = [
            models.UniqueConstraint(name="input_meter_once", fields=["meter"], condition=models.Q(until__isnull=True)),
            models.CheckConstraint(name="input_factor", condition=models.Q(factor__gt=0)),
        ]
        indexes = [models.Index(name="input_of_place", fields=["scope", "place"])]


class Loss(models.Model):
    """The energy balance of a transformer or feeder on a day, as last computed: Wh in, measured and lost.

    `confidence_permille` is the share of intervals that were measured; `hours_in`, `hours_out` are Wh by hour of the
    day in India, `hours_sure` the confidence by hour. `meters` are those whose energy is in `out_wh`, `unknown` those
    of which nothing came.
    """

    id = models.BigAutoField(primary_key=True)
    scope = models.TextField()
    place = models.IntegerField()
    day = models.DateField()
    in_wh = models.BigIntegerField()
    out_wh = models.BigIntegerField()
    lost_wh = models.BigIntegerField()
    confidence_permille = models.IntegerField()
    meters = models.IntegerField()
    unknown = models.IntegerField()
    hours_in = ArrayField(models.BigIntegerField())
    hours_out = ArrayField(models.BigIntegerField())
    hours_sure = ArrayField(models.IntegerField())
    computed_at = models.DateTimeField()

    class Meta:
        app_label = "network"
        constraints = [models.UniqueConstraint(name="loss_once_a_day", fields=["scope", "place", "day"])]
        indexes = [models.Index(name="loss_of_day", fields=["day", "scope"])]
