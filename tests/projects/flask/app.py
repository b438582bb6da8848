from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

app = Flask(__name__)
app.config["SQLALCHEMY_DATABASE_URI"] = "postgresql+psycopg://{user}:{password}@{host}:{port}/{database}"
db = SQLAlchemy(app)
Migrate(app, db)
