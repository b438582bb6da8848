from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0002_priority")]
    operations = [AddIndexConcurrently("order", models.Index(fields=["status"], name="by_status"))]
