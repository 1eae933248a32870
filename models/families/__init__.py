"""The model families: one package each, and one line each in the registry below.

The registry is plain data. Importing it loads no family, no TensorFlow and no XGBoost; `contract.py` says what a
family's package provides, and loads it by name.
"""

# By name, which is the family's package here and its key in the settings (`training.<name>`), the title that pages and
# steps show (`Train<title>`). The order is that of the steps, the report and the colours in its plots.
FAMILIES = {
    "keras": "Keras",
    "xgboost": "XGBoost",
    "logistic": "Logistic",
}
