"""Photograph what a user sees, for the docs: MLflow's UI on the current project's store, and the report.

    make repro && frostline promote solar_cells
    apt-get install chromium chromium-driver && pip install selenium
    python scripts/screenshots.py

Writes `docs/screenshots/*.png`. MLflow's server runs while it takes.
"""

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests
from selenium import webdriver

from frostline.config.load import load_config
from frostline.report.results import read_results
from frostline.tracking.runs import Tracker

OUTPUT = Path("docs/screenshots")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
SECONDS = 60
CLOSE_ASSISTANT = """
    if (document.body.innerText.includes('MLflow Assistant'))
        document.elementFromPoint(innerWidth - 37, 35)?.closest('button')?.click();
"""


def main() -> None:
    config = load_config()
    record = read_results(config)[-1].record
    tracker = Tracker.open(config.stores, record.dataset)
    trials = tracker.client.search_runs(
        [tracker.experiment_id], f"tags.`mlflow.parentRunId` = '{record.run_id}'", order_by=["metrics.score DESC"]
    )
    compared = quote(json.dumps([trial.info.run_id for trial in trials]))
    experiment = tracker.experiment_id
    pages = {
        "runs": (f"#/experiments/{experiment}/runs", record.name),
        "study": (f"#/experiments/{experiment}/runs/{record.run_id}", "won with"),
        "compare": (f"#/compare-runs?runs={compared}&experiments={quote(json.dumps([experiment]))}", "Parallel"),
        "model": (f"#/models/frostline-{record.dataset}", "champion"),
    }
    OUTPUT.mkdir(parents=True, exist_ok=True)
    driver = open_browser()
    server, address = serve(tracker.uri)
    try:
        for name, (page, word) in pages.items():
            photograph(driver, f"{address}/{page}", word, name, 1500, 1000)
        report = Path("reports/index.html").absolute().as_uri()
        photograph(driver, report, "Was the guide right?", "report", 1280, 1700)
        photograph(driver, report, "Was the guide right?", "report-phone", 390, 1700)
    finally:
        driver.quit()
        server.terminate()
        server.wait()


def open_browser() -> Any:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or "chromium"
    for flag in FLAGS:
        options.add_argument(flag)
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


def serve(uri: str) -> tuple[subprocess.Popen[bytes], str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    mlflow = str(Path(sys.executable).parent / "mlflow")
    command = [mlflow, "ui", "--backend-store-uri", uri, "--port", str(port), "--workers", "1"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    for _ in range(2 * SECONDS):
        try:
            requests.get(f"{address}/health", timeout=5)
            return server, address
        except requests.ConnectionError:
            time.sleep(1)
    raise SystemExit("MLflow's server did not start.")


def photograph(driver: Any, address: str, word: str, name: str, width: int, height: int) -> None:
    """Wait until `word` is on the page, then take its picture."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get("about:blank")
    driver.get(address)
    for _ in range(2 * SECONDS):
        if word in driver.execute_script("return document.body.innerText"):
            break
        time.sleep(0.5)
    else:
        raise SystemExit(f"{address} does not show '{word}'.")
    driver.execute_script(CLOSE_ASSISTANT)
    time.sleep(3)  # charts are drawn after their headings
    driver.save_screenshot(str(OUTPUT / f"{name}.png"))


if __name__ == "__main__":
    main()
