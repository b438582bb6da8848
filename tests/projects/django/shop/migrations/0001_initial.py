from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    # The tables were there before Django was.
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    "Product",
                    [("id", models.BigAutoField(primary_key=True)), ("name", models.TextField())],
                    options={"db_table": "products"},
                ),
                migrations.CreateModel(
                    "Order",
                    [
                        ("id", models.BigAutoField(primary_key=True)),
                        ("status", models.TextField(default="open")),
                        ("note", models.TextField(null=True)),
                    ],
                    options={"db_table": "orders"},
                ),
            ]
        )
    ]
