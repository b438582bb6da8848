from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0006_remark")]
    operations = [
        migrations.RunSQL("ALTER TABLE customers ADD CONSTRAINT has_at CHECK (email LIKE '%@%') NOT VALID"),
        migrations.RunSQL("DO $$ BEGIN ALTER TABLE products ADD COLUMN weight integer; END $$"),
        migrations.RunSQL("ALTER TYPE order_state ADD VALUE 'returned'"),
    ]
