"""Opens reports in Chromium and says what is wrong with them.

    check.py --screenshots DIR page.html [page2.html ...]

Each page is opened on a desktop and on a phone, in light and in dark, and as it is printed. Prints
one line per page and one per problem. Exits with 1 if there are problems, with 77 if it lacks
Chromium or a package of requirements.txt.
"""

import argparse
import shutil
import sys
from importlib import resources
from pathlib import Path

SKIPPED = 77

try:
    import axe_playwright_python
    from playwright.sync_api import Browser, sync_playwright
except ImportError as error:
    print(f"skipped: {sys.executable} has no {error.name}", file=sys.stderr)
    sys.exit(SKIPPED)

# Name, width and height in CSS pixels, colour scheme, media.
VIEWS = [
    ("desktop-light", 1280, 900, "light", "screen"),
    ("desktop-dark", 1280, 900, "dark", "screen"),
    ("phone-light", 390, 844, "light", "screen"),
    ("phone-dark", 390, 844, "dark", "screen"),
    # A4 within margins of 14 mm. Chromium prints in light only.
    ("print", 688, 1017, "light", "print"),
]

CHROMIUM_ARGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

AXE = """async () => {
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa'];
    const found = await axe.run({ runOnly: tags, preload: false, resultTypes: ['violations'] });
    return {
        passes: found.passes.length,
        problems: found.violations.map(violation => {
            const nodes = violation.nodes;
            const more = nodes.length > 1 ? ` and ${nodes.length - 1} more` : '';
            const why = nodes[0].failureSummary.split('\\n').slice(1).map(line => line.trim());
            const where = `${nodes[0].target.join(' ')}${more}`;
            return `axe ${violation.id}: ${violation.help}: ${where}: ${why.join('; ')}`;
        }),
    };
}"""


def problems_of(browser: Browser, axe: str, path: Path, view: tuple, screenshot: Path):
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
    context.on("console", lambda message: say(f"console {message.type}: {message.text}"))
    context.on("weberror", lambda error: say(f"page error: {error.error.message}"))

    def is_foreign(asked: str) -> bool:
        return asked != url and not asked.startswith("data:")

    # Seen, and stopped.
    context.route(is_foreign, lambda route: route.abort())
    context.on(
        "request",
        lambda request: is_foreign(request.url) and say(f"network request: {request.url}"),
    )
    page = context.new_page()
    page.on("websocket", lambda socket: say(f"network request: {socket.url}"))
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(url)
    page.screenshot(path=screenshot, full_page=True, animations="disabled")
    script = Path(__file__).with_name("check.js").read_text()
    found = page.evaluate(script, [width, media == "print"])
    problems += found["problems"]
    if media == "screen":
        page.evaluate(axe)
        result = page.evaluate(AXE)
        problems += result["problems"]
        found["rules"] = result["passes"]
    context.close()
    return problems, found


def check(browser: Browser, axe: str, path: Path, screenshots: Path) -> int:
    """Prints what is wrong with a page in all views; the number of problems."""
    views_of = {}
    for view in VIEWS:
        screenshot = screenshots / f"{path.stem}-{view[0]}.png"
        problems, found = problems_of(browser, axe, path, view, screenshot)
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
    chromium = shutil.which("chromium")
    if chromium is None:
        print("skipped: no program chromium", file=sys.stderr)
        return SKIPPED
    args.screenshots.mkdir(parents=True, exist_ok=True)
    axe = resources.files(axe_playwright_python).joinpath("axe.min.js").read_text()
    with sync_playwright() as playwright:
        # Playwright gives it an empty profile of its own.
        browser = playwright.chromium.launch(
            executable_path=chromium, chromium_sandbox=False, args=CHROMIUM_ARGS
        )
        problems = sum(check(browser, axe, page, args.screenshots) for page in args.pages)
        browser.close()
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
