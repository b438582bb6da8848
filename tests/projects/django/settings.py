SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
USE_TZ = True
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": "{host}",
        "PORT": "{port}",
        "USER": "{user}",
        "PASSWORD": "{password}",
        "NAME": "{database}",
    }
}
