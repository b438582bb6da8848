from django.db import migrations, models


def fill(apps, schema_editor):
    order = apps.get_model("shop", "Order")
    for one in order.objects.filter(total=None).iterator(chunk_size=500):
        one.total = 0
        one.save(update_fields=["total"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("shop", "0001_initial")]
    operations = [
        migrations.AddField("order", "total", models.IntegerField(null=True)),
        migrations.RunPython(fill),
    ]
