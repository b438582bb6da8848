from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0004_product")]
    operations = [migrations.AlterField("order", "status", models.CharField(max_length=40, default="open"))]
