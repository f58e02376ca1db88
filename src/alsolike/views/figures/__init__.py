"""Draw figures as Vega-Lite specifications."""
