"""Opens reports in Chromium and says what is wrong with them.

    check.py --screenshots DIR page.html [page2.html ...]

Each page is opened on a desktop and on a phone, in light and in dark, and as it is printed. Prints
one line per page and one per problem. Exits with 1 if there are problems, with 77 if it lacks
Chromium or a package of requirements.txt.
"""

import argparse
import sys
from pathlib import Path

import chromium

# Name, width and height in CSS pixels, colour scheme, media.
VIEWS = [
    ("desktop-light", 1280, 900, "light", "screen"),
    ("desktop-dark", 1280, 900, "dark", "screen"),
    ("phone-light", 390, 844, "light", "screen"),
    ("phone-dark", 390, 844, "dark", "screen"),
    # A4 within margins of 14 mm. Chromium prints in light only.
    ("print", 688, 1017, "light", "print"),
]


def problems_of(browser, path: Path, view: tuple, screenshot: Path):
    """What is wrong with one page in one view, and how many charts, links and axe rules it has."""
    name, width, height, scheme, media = view
    url = path.resolve().as_uri()
    problems = []
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        # A phone lays a page without <meta name=viewport> out 980 px wide.
        is_mobile=name.startswith("phone"),
    )
    say = problems.append
    chromium.listen(context, say, lambda asked: asked == url or asked.startswith("data:"))
    page = context.new_page()
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(url)
    page.screenshot(path=screenshot, full_page=True, animations="disabled")
    script = Path(__file__).with_name("check.js").read_text()
    found = page.evaluate(script, [width, media == "print"])
    problems += found["problems"]
    if media == "screen":
        result = chromium.axe(page)
        problems += result["problems"]
        found["rules"] = result["passes"]
    context.close()
    return problems, found


def check(browser, path: Path, screenshots: Path) -> int:
    """Prints what is wrong with a page in all views; the number of problems."""
    views_of = {}
    for view in VIEWS:
        screenshot = screenshots / f"{path.stem}-{view[0]}.png"
        problems, found = problems_of(browser, path, view, screenshot)
        if view[0] == "desktop-light":
            counts = found
        for problem in dict.fromkeys(problems):
            views_of.setdefault(problem, []).append(view[0])
    print(
        f"{path.name}: {counts['charts']} charts, {counts['tables']} tables, "
        f"{counts['links']} links, {counts['rules']} axe rules passed, "
        f"{len(VIEWS)} views, {len(views_of)} problems"
    )
    for problem, views in views_of.items():
        where = "all views" if len(views) == len(VIEWS) else ", ".join(views)
        print(f"{path.name}: {where}: {problem}")
    return len(views_of)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--screenshots", type=Path, required=True, metavar="DIR")
    parser.add_argument("pages", type=Path, nargs="+", metavar="page.html")
    args = parser.parse_args()
    if len({page.stem for page in args.pages}) < len(args.pages):
        parser.error("two pages have the same name: their screenshots would too")
    args.screenshots.mkdir(parents=True, exist_ok=True)
    with chromium.browser() as browser:
        problems = sum(check(browser, page, args.screenshots) for page in args.pages)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
