from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_by_status")]
    operations = [
        migrations.AddField("order", "product", models.ForeignKey("shop.product", models.CASCADE, null=True))
    ]
