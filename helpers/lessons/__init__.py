"""One module for each notebook, of the notebook's name: its figures, its explorer, its exercises."""
