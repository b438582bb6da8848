from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_total")]
    operations = [migrations.RunSQL("ALTER TABLE nobody ADD COLUMN total integer")]
