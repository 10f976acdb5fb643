"""The table of messages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Creates it."""

    initial = True
    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="Message",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("event_id", models.CharField(max_length=200, unique=True)),
                ("instance", models.CharField(max_length=100)),
                ("chat", models.CharField(max_length=100)),
                ("author", models.CharField(blank=True, max_length=100)),
                ("text", models.TextField(blank=True)),
                ("from_me", models.BooleanField(default=False)),
                ("sent_at", models.DateTimeField()),
            ],
            options={"ordering": ("sent_at", "pk")},
        ),
    )
