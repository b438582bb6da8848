from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0005_short_status")]
    operations = [migrations.RenameField("order", "note", "remark")]
