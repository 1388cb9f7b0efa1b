"""Feeder > transformer > connection. A connection's id is the ten-digit consumer number printed on the bill."""

from django.db import models


class Feeder(models.Model):
    """An 11 kV feeder out of a substation."""

    id = models.IntegerField(primary_key=True)
    name = models.TextField()
    substation = models.TextField()
    subdivision = models.IntegerField()

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
