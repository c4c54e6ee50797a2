"""Training: recipes, the Lightning modules, the stage runner."""
