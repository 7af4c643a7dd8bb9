"""Time to draw 256 scenes and 256 mosaics, by hand: `python tests/benchmark_scenes.py`."""

import time

from helpers import datasets
from helpers.datasets import scenes


def seconds(draw):
    draw()  # warm up
    times = []
    for _ in range(3):
        start = time.process_time()
        draw()
        times.append(time.process_time() - start)
    return min(times), sorted(times)[1]


if __name__ == "__main__":
    print("s per 256 (processor time, smallest / median of 3)")
    data = scenes.make(256)
    for what, draw in {
        "scenes, 64 px": lambda: scenes.make(256, 64),
        "scenes, 96 px": lambda: scenes.make(256, 96),
        "scenes, 128 px": lambda: scenes.make(256, 128),
        "water only, 64 px": lambda: scenes.make(256, 64, water_only=True),
        "bank distances, 96 px": lambda: [data.bank_distance(i) for i in range(256)],
        "mosaics, 96 px": lambda: datasets.texture_mosaics(256, 96),
    }.items():
        print(f"{what:<22} {{:.2f}} / {{:.2f}}".format(*seconds(draw)))
