"""The page of a running `kiln serve` in Chromium, as a person uses it. Each function but the helpers is a test.

What the page shows is compared with what the server answers to a program.
"""

import csv
import io
import json
import math
import os
import re
import signal
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import chromium
from playwright.sync_api import expect

NUMBERS = {"Age": "34.5", "Fare": "26.55", "SibSp": "1", "Parch": "0", "Pclass": "2"}


def form(server, process, table):
    """The form and files of the titanic model, whose server takes 100,000 bytes; it is stopped at the end."""
    header, *lines = Path(table).read_text().splitlines(keepends=True)
    with opened(server) as page:
        no_fault(page)
        fields = [column for column in page.model["columns"] if column["used"]]
        page.locator("#field-0").focus()
        row = {}
        for column in fields:
            row[column["name"]] = type_value(page, column)
            page.keyboard.press("Tab")
        assert None not in row.values(), row
        expect(page.get_by_role("button", name="Predict")).to_be_focused()
        page.keyboard.press("Enter")
        shows(page, "#row-result", ask(server, {"rows": [row]}))
        no_fault(page)

        # From the keyboard, to the button that empties the form, and back.
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.locator("#row-result")).to_have_text("The prediction will stand here.")
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Enter")
        shows(page, "#row-result", ask(server, {"rows": [dict.fromkeys(row)]}))

        # A text that is no number: Chromium lets an `e` through.
        age = page.get_by_label("Age", exact=True)
        age.press_sequentially("1e")
        age.press("Enter")
        expect(page.locator("#row-problem")).to_have_text("Nothing is predicted because of “Age”.")
        expect(age).to_have_attribute("aria-invalid", "true")
        expect(age).to_be_focused()
        expect(page.locator(f"#{age.get_attribute('aria-describedby')}")).to_have_text("This is not a number.")
        no_fault(page)

        small = header + "".join(lines[:30])
        for give in (choose, drop):
            give(page, "people.csv", small)
            download = page.get_by_role("link", name="Download people-predicted.csv")
            with page.expect_download() as saved:
                download.click()
            assert saved.value.suggested_filename == "people-predicted.csv"
            text = Path(saved.value.path()).read_text()
            assert text == ask(server, small, "text/csv", "?keep=all"), text
            previews(page, text)
            no_fault(page)

        # Quotes, commas and line breaks in cells, and more columns and rows than are shown.
        wide = header.rstrip("\n") + "".join(f',"x ""{i}"""' for i in range(50)) + "\n"
        wide += "".join(line.rstrip("\n") + ',"1,\n2"' * 50 + "\n" for line in lines[:25])
        drop(page, "wide.csv", wide)
        previews(page, ask(server, wide, "text/csv", "?keep=all"))
        expect(page.locator("#preview-caption")).to_contain_text("The first 20 of 25 rows")
        expect(page.locator("#preview-caption")).to_contain_text("25 more columns")

        with refused(page):
            bad = header + lines[0].replace(",22,", ",young,")
            drop(page, "bad.csv", bad)
            expect(page.locator("#file-problem")).to_contain_text("young")
            expect(page.locator("#file-result")).to_be_hidden()
            drop(page, "short.csv", small.replace("Age", "Years", 1))
            expect(page.locator("#file-problem")).to_contain_text("Age")
        drop(page, "large.csv", header + "".join(lines) * 2)
        expect(page.locator("#file-problem")).to_contain_text("large.csv has")
        expect(page.locator("#file-problem")).to_contain_text("this server takes at most")
        no_fault(page)
        drop(page, "people.csv", small)
        expect(page.locator("#file-problem")).to_be_empty()

        with refused(page):
            os.kill(process, signal.SIGTERM)
            gone(server)
            drop(page, "people.csv", small)
            expect(page.locator("#file-problem")).to_contain_text("Is it still running?")
            age.fill("3")
            age.press("Enter")
            expect(page.locator("#row-problem")).to_contain_text("Is it still running?")
            no_fault(page)


def token(server, right):
    """A server that wants a token."""
    with opened(server, model=False) as page, refused(page):
        field = page.get_by_label("Bearer token")
        expect(field).to_be_focused()
        no_fault(page)
        for given, said in [
            ("", "A token is needed."),
            ("two words", "without blanks"),
            ("wrong", "The server does not know this token."),
        ]:
            field.fill(given)
            field.press("Enter")
            expect(page.locator("#token-problem")).to_contain_text(said)
            expect(field).to_be_focused()
        field.fill(right)
        field.press("Enter")
        expect(page.locator("#token")).to_be_hidden()
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#row-result .verdict")).to_be_visible()


def drawing(server, digits):
    """Drawings of some digits, which a model of images knows."""
    with opened(server) as page:
        no_fault(page)
        canvas = page.locator("#canvas")
        empty = "Draw something: its class will stand here."
        verdict = page.locator("#drawing-result .verdict strong")
        for digit in digits:
            expect(page.locator("#drawing-result")).to_have_text(empty)
            canvas.scroll_into_view_if_needed()
            box = canvas.bounding_box()
            place = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in SHAPES[digit]]
            page.mouse.move(*place[0])
            page.mouse.down()
            half = len(place) // 2
            for point in place[1:half]:
                page.mouse.move(*point)
            # While it is drawn.
            expect(verdict).to_be_visible()
            for point in place[half:]:
                page.mouse.move(*point)
            page.mouse.up()
            # What is announced once the pen is up is of the whole drawing.
            expect(page.locator("#status")).to_contain_text("Predicted: ")
            expect(verdict).to_have_text(digit)
            shares = page.locator("#drawing-result .percent").all_inner_texts()
            total = sum(float(share.rstrip("\u00a0%")) for share in shares)
            assert len(shares) == 10 and abs(total - 100) < 1, shares
            no_fault(page)
            page.get_by_role("button", name="Clear").click()

        # By keyboard: a stroke from the middle downwards.
        canvas.focus()
        page.keyboard.press("Space")
        expect(page.locator("#status")).to_have_text("Pen down")
        for _ in range(3):
            page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press("Space")
        expect(page.locator("#status")).to_contain_text("Predicted: ")
        expect(verdict).to_be_visible()
        page.keyboard.press("Delete")
        expect(page.locator("#drawing-result")).to_have_text(empty)


def names(server):
    """Names that are HTML, and more labels than fit."""
    with opened(server) as page:
        columns = [column["name"] for column in page.model["columns"]]
        assert any("<script>" in name for name in columns), columns
        assert any("<" in name for name in page.model["classes"]), page.model["classes"]
        page.get_by_role("button", name="Predict").click()
        shows(page, "#row-result", ask(server, {"rows": [dict.fromkeys(columns)]}))
        header = io.StringIO()
        csv.writer(header, lineterminator="\n").writerows([columns, ["1"] + [""] * (len(columns) - 1)])
        drop(page, "<b>.csv", header.getvalue())
        previews(page, ask(server, header.getvalue(), "text/csv", "?keep=all"))
        assert page.locator("main b, main i, main script").count() == 0
        no_fault(page)
        assert not page.problems, page.problems
        # Were HTML ever taken for such, its scripts would not run. Chromium says so on the console.
        blocked = page.evaluate(
            """() => new Promise(resolve => {
                addEventListener('securitypolicyviolation', event => resolve(event.effectiveDirective));
                document.body.insertAdjacentHTML('beforeend', '<svg onload="window.ran = 1"></svg>');
            })"""
        )
        assert blocked == "script-src-attr" and page.evaluate("window.ran") is None, blocked
        page.problems.clear()


def circle():
    turns = [2 * math.pi * step / 24 for step in range(26)]
    return [(0.5 + 0.2 * math.sin(turn), 0.5 - 0.3 * math.cos(turn)) for turn in turns]


# Each one stroke, within a square of side 1.
SHAPES = {
    "0": circle(),
    "1": [(0.55, 0.2), (0.54, 0.35), (0.52, 0.5), (0.51, 0.65), (0.5, 0.8)],
    # Unlike the others, another shape upside down.
    "7": [(0.3, 0.25), (0.5, 0.24), (0.7, 0.25), (0.6, 0.45), (0.52, 0.65), (0.45, 0.8)],
}


@contextmanager
def opened(server, model=True):
    """The page, and what it did that it should not have: nothing, in the end."""
    with chromium.browser() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        own = (server, "data:", "blob:")
        problems = []
        chromium.listen(context, problems.append, lambda asked: asked.startswith(own))
        page = context.new_page()
        page.problems = problems
        policy = page.goto(server).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy, policy
        if model:
            with urllib.request.urlopen(f"{server}/v1/model") as answer:
                page.model = json.load(answer)
            expect(page).to_have_title(f"{page.model['name']} · Kiln")
        yield page
        context.close()
        assert not problems, problems


@contextmanager
def refused(page):
    """Chromium puts answers that are errors on the console."""
    before = len(page.problems)
    yield
    page.problems[before:] = [
        problem
        for problem in page.problems[before:]
        if not problem.startswith("console error: Failed to load resource")
    ]


def no_fault(page):
    """Neither on a desktop nor on a phone, in light nor in dark."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        found = chromium.axe(page)
        assert found["passes"] > 10 and not found["problems"], (scheme, found)
    page.set_viewport_size({"width": 390, "height": 844})
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, f"the page is {width} px wide on a phone of 390"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 900})


def type_value(page, column):
    """Gives the field that has the focus a value of its column, by keys; the value."""
    name = column["name"]
    focused = page.get_by_label(name, exact=True)
    expect(focused).to_be_focused()
    if column["kind"] == "numeric":
        page.keyboard.type(NUMBERS[name])
        return float(NUMBERS[name])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = focused.evaluate("select => select.selectedOptions[0].textContent")
    if column["kind"] == "boolean":
        return {"yes": True, "no": False}[chosen]
    assert chosen == column["categories"][1], (chosen, column)
    return chosen


def choose(page, name, text):
    page.set_input_files("#file-field", {"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def drop(page, name, text):
    make = """([name, text]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([text], name, { type: 'text/csv' }));
        return transfer;
    }"""
    page.dispatch_event("#drop", "drop", {"dataTransfer": page.evaluate_handle(make, [name, text])})


def shows(page, place, answer):
    """Whether it shows what the server says of one row."""
    said = json.loads(answer)
    [prediction] = said["predictions"]
    classes, probabilities = said["classes"], prediction["probabilities"]
    labels = prediction.get("labels")
    verdict = prediction["class"] if labels is None else ", ".join(labels) or "no label"
    expect(page.locator(f"{place} .verdict strong")).to_have_text(verdict)
    order = list(range(len(classes)))
    if len(order) > 10:
        order = sorted(order, key=lambda index: -probabilities[index])[:10]
    expect(page.locator(f"{place} .bars .class")).to_have_text([classes[index] for index in order])
    expect(page.locator(f"{place} .bars .percent")).to_have_text(
        [f"{100 * probabilities[index]:.1f}\u00a0%" for index in order]
    )
    widths = page.locator(f"{place} .bars .fill").evaluate_all(
        "fills => fills.map(fill => fill.getBoundingClientRect().width"
        " / fill.parentElement.getBoundingClientRect().width)"
    )
    for width, index in zip(widths, order, strict=True):
        assert abs(width - probabilities[index]) < 0.02, (widths, probabilities)


def previews(page, text):
    """Whether it shows the rows of the file that came back, what is predicted first."""
    header, *rows = csv.reader(io.StringIO(text))
    own = len(header) - 1 - len(page.model["classes"])
    expect(page.locator("#preview-caption")).to_contain_text(re.compile(rf"\b{len(rows)} rows?\b"))
    shown = page.locator("#preview tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    )
    assert shown[0] == (header[own:] + header[:own])[:40], shown[0]
    for cells, row in zip(shown[1:], rows):
        numbers = [f"{float(cell):.4f}" for cell in row[own + 1 :]]
        assert cells == ([row[own]] + numbers + row[:own])[:40], (cells, row)
    assert len(shown) - 1 == min(20, len(rows))


def ask(server, body, form="application/json", query=""):
    if form == "application/json":
        body = json.dumps(body)
    headers = {"Content-Type": form, "Accept": form}
    request = urllib.request.Request(f"{server}/v1/predict{query}", body.encode(), headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read().decode()


def gone(server):
    while True:
        try:
            urllib.request.urlopen(f"{server}/healthz").close()
        except urllib.error.HTTPError:
            continue
        except OSError:
            return
