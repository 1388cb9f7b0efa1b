"""One consumer per connection; the id is the connection's ten-digit number."""

from django.db import models


class Consumer(models.Model):
    """Name, telephone and language. Telephone and address are personal data: never logged."""

    id = models.BigIntegerField(primary_key=True)
    name = models.TextField()
    name_hi = models.TextField()
    phone = models.TextField()
    language = models.TextField(default="hi")

    class Meta:
        app_label = "consumers"
