# Runs in the notebook's kernel after its last cell: move every control to both ends, its middle and each option.
# A move from Python raises what a move in the browser would hide in a log.
import ipywidgets
from ipywidgets.widgets.widget import _instances

moved = 0
for control in list(_instances.values()):
    if isinstance(control, (ipywidgets.IntSlider, ipywidgets.FloatSlider, ipywidgets.BoundedIntText, ipywidgets.Play)):
        values = [control.min, (control.min + control.max) // 2, control.max]
    elif isinstance(control, (ipywidgets.Dropdown, ipywidgets.ToggleButtons, ipywidgets.SelectionSlider)):
        values = list(control._options_values)
    elif isinstance(control, ipywidgets.Checkbox):
        values = [not control.value, control.value]
    elif isinstance(control, ipywidgets.Button):
        control.click()
        continue
    else:
        continue
    first = control.value
    for value in [*values, first]:
        control.value = value
    moved += 1
assert moved, "no control was found in this notebook"
