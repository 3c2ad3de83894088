"""Makes examples/fruit.csv and fruit-new.csv: numbers made up, for the commands of the README."""

import random

random.seed(7)
# grams, millimetres, share of each colour
KINDS = {
    "apple": (170, 25, 75, 6, {"red": 5, "green": 4, "yellow": 2}),
    "lemon": (110, 18, 58, 5, {"yellow": 8, "green": 1}),
    "orange": (160, 22, 72, 5, {"orange": 9, "yellow": 1}),
}


def row(number):
    kind = random.choices(list(KINDS), [5, 3, 4])[0]
    grams, grams_spread, width, width_spread, colours = KINDS[kind]
    cells = [
        f"{random.gauss(grams, grams_spread):.0f}",
        f"{random.gauss(width, width_spread):.1f}",
        random.choices(list(colours), list(colours.values()))[0],
        random.choice(["yes", "no"]),
    ]
    cells = ["" if random.random() < 0.03 else cell for cell in cells]
    return ",".join([f"F{number:04}", *cells, kind])


for name, numbers in [("fruit.csv", range(1, 301)), ("fruit-new.csv", range(301, 401))]:
    with open(f"examples/{name}", "w") as file:
        print("id,grams,width_mm,colour,organic,kind", file=file)
        for number in numbers:
            print(row(number), file=file)
