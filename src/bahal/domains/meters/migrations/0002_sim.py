"""The SIM register, and meters that are asked by SMS to call."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("meters", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Sim",
            fields=[
                ("iccid", models.TextField(primary_key=True, serialize=False)),
                ("meter", models.TextField(unique=True)),
                ("msisdn", models.TextField(unique=True)),
                ("operator", models.TextField()),
                ("cell", models.TextField()),
                ("signal_dbm", models.SmallIntegerField(null=True)),
                ("seen_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="WakeUp",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("meter", models.TextField()),
                ("msisdn", models.TextField()),
                ("cell", models.TextField()),
                ("asked_at", models.DateTimeField()),
                ("next_at", models.DateTimeField()),
                ("tries", models.SmallIntegerField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("receipt", models.TextField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("why", models.TextField()),
            ],
        ),
    ]
