"""Pages of local trainings, with and without a real browser."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from odahu_argo.local.home import Home
from odahu_argo.local.store import TrainingStore
from tests.commands import odahu_argo
from tests.conftest import EXAMPLES
from tests.local_trainings import FLOWERS, HOSTILE, STEPS, TIMES
from tests.servers.api import ApiClient, serving, signed_in
from tests.servers.browser import Visit

TOKEN = "0123456789abcdef0123"
SHOWN = "<script>window.hacked = 1</script><img src=x onerror='window.hacked=1'>\"'&amp;red?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("home"))
    store = TrainingStore(home.store_file)
    store.save(FLOWERS)
    keep(home, "flowers", (EXAMPLES / "02-gpu-two-connections/golden/workflow.yaml").read_text(), "epoch 1\nepoch 2\n")
    done = tuple(replace(step, state="succeeded", message="") for step in STEPS)
    store.save(replace(FLOWERS, id="wine", state="succeeded", reason="", created=TIMES[5], steps=done))
    hostile = replace(STEPS[3], message=f"first {HOSTILE}\nsecond", state="failed")
    store.save(
        replace(
            FLOWERS, id="hostile", model_name=HOSTILE, model_version=HOSTILE, toolchain=HOSTILE, reason=HOSTILE,
            artifact_name=HOSTILE, commit_id="x" * 5000,
            spec=json.dumps(
                {
                    "model": {"name": HOSTILE, "version": HOSTILE}, "toolchain": HOSTILE,
                    "hyperParameters": {"<b>": "\ud800</dd>"},
                }
            ), steps=(*STEPS[:3], hostile, replace(STEPS[4], name=SHOWN)),
        )
    )  # fmt: skip
    keep(home, "hostile", f"# {SHOWN}\n", f"{HOSTILE}\n{'long ' * 200_000}end\n\xff\n")
    return home


def keep(home: Home, training: str, workflow: str, log: str) -> None:
    folder = home.run(training)
    folder.logs.mkdir(parents=True)
    folder.workflow.write_text(workflow, encoding="utf-8")
    folder.log("train").write_bytes(log.encode("latin-1"))


@pytest.fixture(scope="module")
def site(home: Home) -> Iterator[ApiClient]:
    with signed_in("--local", ODAHU_ARGO_HOME=str(home.root)) as site:
        yield site


def test_list_shows_trainings_and_filters_by_state(site: ApiClient, visit: Callable[..., Visit]) -> None:
    tab = visit(site.url, token=site.token)
    rows = tab.page.locator("tbody tr")
    assert "wine" in rows.nth(0).inner_text()
    flowers = rows.filter(has_text="train: no labels").inner_text()
    assert re.search(r"failed\s+flowers\s+flowers\s+2\.1\s+train: no labels\s+\d+ (d|h) ago", flowers), flowers
    tab.page.get_by_role("link", name="succeeded 1").click()
    assert tab.page.locator("tbody tr").count() == 1
    assert tab.text(".chips [aria-current]").split() == ["succeeded", "1"]


def test_failed_training_shows_reason_hint_and_durations(site: ApiClient, visit: Callable[..., Visit]) -> None:
    tab = visit(f"{site.url}/trainings/flowers", token=site.token)
    assert "train: no labels" in tab.text(".callout")
    assert "How to fix it: see" in tab.text(".callout") and "--resume continues from step train" in tab.text(".callout")
    assert "the file labels.csv is missing" in tab.text("#steps")
    bars = tab.page.locator("#steps .bar rect").evaluate_all(
        "all => all.map(each => [each.getAttribute('x'), each.getAttribute('width')])"
    )
    assert bars == [["0.00%", "25.00%"], ["25.00%", "50.00%"], ["25.00%", "25.00%"], ["75.00%", "25.00%"]]
    assert tab.page.locator(".dag-across .edge").count() == 5
    assert tab.text("#log").split("\n") == ["train", "epoch 1", "train", "epoch 2"]
    assert tab.text("#parameters dl").split() == ["epochs", "20"]
    assert "There is no MLflow run yet" in tab.text("#metrics")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/trainings/flowers", "/trainings/hostile", "/?state=nothing"])
def test_pages_fit_phone_width(site: ApiClient, visit: Callable[..., Visit], path: str, scheme: str) -> None:
    tab = visit(site.url + path, token=site.token, width=360, color_scheme=scheme)
    assert tab.overflow() == 0
    if path == "/trainings/flowers":
        assert tab.page.locator(".dag-down").is_visible() and not tab.page.locator(".dag-across").is_visible()
        assert tab.page.locator(".dag-down .edge").count() == 5


def test_keyboard_reaches_all_links_and_regions(site: ApiClient, visit: Callable[..., Visit]) -> None:
    tab = visit(f"{site.url}/trainings/flowers", token=site.token)
    tab.page.keyboard.press("Tab")
    assert tab.text(":focus") == "Skip to content"
    assert tab.page.locator(":focus").bounding_box()["y"] >= 0
    reached, at = [], "document.activeElement"
    for _ in range(12):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate(f"{at} === document.body"):
            break
        reached.append(tab.page.evaluate(f"{at}.getAttribute('aria-label') || {at}.innerText || {at}.id"))
        assert tab.page.evaluate(f"getComputedStyle({at}).outlineStyle") != "none", reached[-1]
    wanted = ["odahu-argo", "Trainings", "Step graph", "follow", "Full log as text"]
    assert [item for item in reached if item in wanted] == wanted
    assert any("lines of YAML" in item for item in reached)


def test_escapes_untrusted_text(site: ApiClient, visit: Callable[..., Visit]) -> None:
    for path in ("/", "/trainings/hostile"):
        tab = visit(site.url + path, token=site.token)
        tab.page.wait_for_timeout(300)
        assert tab.page.evaluate("window.hacked") is None
        assert SHOWN in tab.text()
        assert tab.page.locator("main img, main script, main b b").count() == 0
    log = tab.page.locator("#log .text").all_inner_texts()
    assert log[0] == SHOWN
    assert log[1].endswith("… (998,003 more characters)") and len(log[1]) < 2100
    assert log[2] == "�"
    assert "?</dd>" in tab.text("#parameters")
    assert len(site.get("/trainings/hostile").content) < 200_000
    whole = site.get("/trainings/hostile/log")
    assert len(whole.content) > 1_000_000 and whole.headers["x-content-type-options"] == "nosniff"


def test_works_without_javascript(site: ApiClient, visit: Callable[..., Visit]) -> None:
    tab = visit(site.url, token=site.token, java_script_enabled=False)
    tab.page.get_by_role("link", name="flowers", exact=True).click()
    assert "epoch 2" in tab.text("#log") and tab.page.locator(".dag-across").is_visible()
    assert not tab.page.locator("#follow").is_visible()
    tab.page.get_by_role("link", name="Full log as text").click()
    tab.wait_for("body", "train | epoch 2")


def test_reports_outage_and_recovery(home: Home, visit: Callable[..., Visit]) -> None:
    with signed_in("--local", ODAHU_ARGO_HOME=str(home.root)) as server:
        tab = visit(server.sign_in_url)
        tab.wait_for("#live-state", "Live")
        tab.page.evaluate("main.dataset.every = 0.2")
        tab.page.route("**/page/trainings*", lambda route: route.fulfill(status=503, body=""))
        tab.wait_for("#live-state", "Disconnected since")
        tab.page.unroute("**/page/trainings*")
        tab.wait_for("#live-state", "Live")
        tab.complaints.clear()


def test_unknown_training_is_error_page(site: ApiClient) -> None:
    for path in ("cider", "..%2f", "%00", "x" * 300):
        answer = site.get(f"/trainings/{path}")
        assert (answer.status_code, answer.headers["content-type"][:9]) in ((404, "text/html"), (404, "applicati")), (
            path
        )
    assert "training &#39;cider&#39; does not exist" in site.get("/trainings/cider").text


def test_content_security_policy(site: ApiClient) -> None:
    for path in ("/", "/trainings/flowers", "/trainings/cider"):
        policy = site.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert site.get("/", headers={"Host": "evil.example.org"}).status_code == 400


def test_sign_in_and_out(home: Home, tmp_path: Path, visit: Callable[..., Visit]) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with serving("--local", "--token-file", file, ODAHU_ARGO_HOME=str(home.root)) as address:
        for path in ("/", "/trainings/flowers", "/page/trainings", "/page/trainings/flowers", "/trainings/flowers/log"):
            asked = requests.get(address + path)
            assert (asked.status_code, "no labels" in asked.text, "epoch" in asked.text) == (401, False, False), path
        tab = visit(f"{address}/trainings/flowers")
        tab.page.get_by_label("Token").fill("a wrong one")
        tab.page.keyboard.press("Enter")
        assert "The token is not valid" in tab.text("[role=alert]")
        tab.page.get_by_label("Token").fill(TOKEN)
        tab.page.keyboard.press("Enter")
        tab.wait_for("h1", "flowers")
        [cookie] = tab.page.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        cookies = {cookie["name"]: cookie["value"]}
        assert requests.get(f"{address}/api/v1/model/training", cookies=cookies).status_code == 401
        assert (
            requests.get(f"{address}/trainings/flowers/log", cookies=cookies).text
            == "train | epoch 1\ntrain | epoch 2\n"
        )
        tab.page.get_by_role("button", name="Sign out").click()
        assert tab.page.get_by_label("Token").is_visible()
        tab.complaints.clear()
        form = {"token": TOKEN, "path": "//evil.example.org"}
        response = requests.post(f"{address}/sign-in", form, allow_redirects=False)
        assert (response.status_code, response.headers["location"]) == (303, "/")
        from_elsewhere = requests.post(f"{address}/sign-in", form, headers={"Origin": "https://evil.example.org"})
        assert from_elsewhere.status_code == 401


def test_report_is_self_contained(home: Home, tmp_path: Path, visit: Callable[..., Visit]) -> None:
    file = tmp_path / "report.html"
    result = odahu_argo("report", "--local", "--id", "flowers", "-o", file, env=environment(home))
    assert result.code == 0, result.err
    assert result.err == f"{file}: training flowers is failed\n"
    tab = visit(file.as_uri(), width=360)
    assert tab.overflow() == 0
    assert {address for address in tab.requests if not address.startswith("data:")} == {file.as_uri()}
    assert tab.page.locator("script, link[rel=stylesheet], form").count() == 0
    assert "train: no labels" in tab.text(".callout") and "epoch 2" in tab.text("#log")
    assert tab.page.locator(".card").first.evaluate("each => getComputedStyle(each).borderRadius") == "12px"
    tab.page.get_by_text("lines of YAML").click()
    assert "kind: Workflow" in tab.text(".code")


def test_failed_report_leaves_no_file(home: Home, tmp_path: Path) -> None:
    for arguments, text in (
        (("--id", "cider", "-o", tmp_path / "a.html"), "training 'cider' does not exist"),
        (("--id", "flowers", "-o", tmp_path / "nowhere" / "a.html"), "cannot write "),
        (("--id", "flowers", "-o", tmp_path / "a.html", "-n", "ml"), "--local cannot be combined"),
    ):
        result = odahu_argo("report", "--local", *arguments, env=environment(home))
        assert (result.code, text in result.err) == (2, True), result.err
    assert list(tmp_path.iterdir()) == []


def environment(home: Home) -> dict[str, str]:
    return {**os.environ, "ODAHU_ARGO_HOME": str(home.root)}
