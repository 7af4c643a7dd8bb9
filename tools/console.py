"""Import this in a tool: where the console cannot show a character (✓, – in Korean or western Windows), it prints ?."""

import sys

for stream in (sys.stdout, sys.stderr):
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="replace")
