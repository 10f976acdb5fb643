"""The live page in a real browser: messages appear, and can be answered."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests


pytest.importorskip("flask")

from evolution_ws.testing import FakeEvolutionServer, build
from tests.integrations.web_processes import (
    EXAMPLES,
    PATIENCE,
    free_port,
    need_module,
    need_program,
    python,
    started,
    wait_for_site,
)


ANA, BRUNO, CARLA = "5511900000001", "5511900000002", "5511900000003"
GROUP = "120363000000000001@g.us"

BROWSER_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,860",
    "--force-device-scale-factor=1",
)


@pytest.fixture
def page(server: FakeEvolutionServer) -> Iterator[str]:
    """Return the address of the page, served by Flask."""
    server.api_key = "k3y"
    port = free_port()
    environ = {
        "EVOLUTION_URL": server.url,
        "EVOLUTION_INSTANCE": "sales",
        "EVOLUTION_API_KEY": "k3y",
    }
    command = python("-m", "flask", "--app", "app", "run", "--port", str(port))
    url = f"http://127.0.0.1:{port}"
    with started(command, EXAMPLES / "flask_live", environ) as process:
        wait_for_site(url, process)
        yield url


@pytest.fixture
def browse(tmp_path: Path) -> Iterator[Callable[[str], Any]]:
    """Return a function that opens headless Chromium in a language."""
    need_module("selenium")
    chromium = need_program("chromium", "chromium-browser", package="chromium")
    driver = need_program("chromedriver", package="chromium-driver")
    from selenium import webdriver

    opened: list[webdriver.Chrome] = []

    def browse_in(language: str) -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        profile = tmp_path / f"profile-{len(opened)}"
        for option in (*BROWSER_OPTIONS, f"--user-data-dir={profile}", f"--lang={language}"):
            options.add_argument(option)
        options.add_experimental_option("prefs", {"intl.accept_languages": language})
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
        opened.append(browser)
        return browser

    yield browse_in
    for browser in opened:
        browser.quit()


def wait_for(browser: Any, script: str) -> Any:
    """Wait until the JavaScript expression *script* is true, and return its value."""
    from selenium.webdriver.support.wait import WebDriverWait

    return WebDriverWait(browser, PATIENCE, 0.05).until(
        lambda _: browser.execute_script(f"return {script}"), f"{script} did not become true"
    )


def say(browser: Any, text: str) -> None:
    """Type *text* in the open conversation, and send it with Enter."""
    browser.find_element("id", "text").send_keys(text + "\n")


def open_chat(browser: Any, name: str) -> None:
    """Click the conversation with *name*."""
    wait_for(browser, f"document.getElementById('chats').innerText.includes('{name}')")
    browser.find_element("xpath", f"//ul[@id='chats']//button[contains(., '{name}')]").click()


def tell_a_story(server: FakeEvolutionServer) -> None:
    """Let people write as they do to a shop."""
    minutes = iter(range(60, 0, -4))

    def wrote(text: str, person: str, name: str, **how: Any) -> None:
        at = time.time() - 60 * next(minutes)
        how = {"sender": person, "push_name": name, "instance": "sales", "at": at, **how}
        server.emit(build.text(text, **how))

    wrote("Bom dia! Quanto fica o frete para Santos?", "5511900000004", "Diego Alves")
    wrote("R$ 18, entrega na quinta", "5511900000004", "Loja", from_me=True)
    wrote("Reunião amanhã às 10h", CARLA, "Carla Dias", group=GROUP)
    wrote("O pedido chegou certinho, obrigado!", BRUNO, "Bruno Lima")
    wrote("Que bom! Conte com a gente", BRUNO, "Loja", from_me=True)
    wrote("Vocês têm esse modelo em azul?", "5511900000005", "Elisa Ramos")
    wrote("Bom dia! Vocês abrem no sábado?", ANA, "Ana Souza")
    wrote("Abrimos, das 9h às 14h", ANA, "Loja", from_me=True)


def test_page_shows_and_answers_messages(
    page: str, browse: Callable[[str], Any], server: FakeEvolutionServer, tmp_path: Path
) -> None:
    """History is there, a message appears as it comes, the answer goes out over REST."""
    need_module("selenium")
    from selenium.webdriver import ActionChains

    tell_a_story(server)
    browser = browse("pt-BR")
    browser.get(page)
    wait_for(browser, "document.getElementById('state').dataset.state == 'open'")
    open_chat(browser, "Ana Souza")
    server.emit(
        build.text(
            "Ótimo! Podem separar dois para mim?",
            sender=ANA,
            push_name="Ana Souza",
            instance="sales",
        )
    )
    wait_for(browser, "document.getElementById('thread').innerText.includes('separar dois')")
    say(browser, "Claro, já separei. Até sábado!")
    wait_for(browser, "document.querySelector('#thread li:last-child.mine')")
    wait_for(browser, "document.getElementById('text').value === ''")
    sent = [r.json for r in server.requests if r.path == "/message/sendText/sales"]
    shown = browser.find_element("id", "thread").text
    state = browser.find_element("id", "state").text
    server.emit(
        build.image("Comprovante do Pix", sender=BRUNO, push_name="Bruno Lima", instance="sales")
    )
    wait_for(browser, "document.querySelector('#chats .unread')")
    ActionChains(browser).move_to_element(browser.find_element("tag name", "h1")).perform()
    picture = tmp_path / "live.png"
    browser.save_screenshot(str(picture))
    keep = os.environ.get("EVOLUTION_WS_TEST_SCREENSHOT")
    if keep:
        shutil.copy(picture, keep)

    assert [message["text"] for message in sent] == ["Claro, já separei. Até sábado!"]  # type: ignore[index]
    assert shown.count("Claro, já separei. Até sábado!") == 1
    assert "Bom dia! Vocês abrem no sábado?" in shown
    assert state == "Conectado"
    assert browser.title == "(1) Caixa de entrada"
    assert picture.stat().st_size > 10_000


def test_page_shows_lost_connections_and_catches_up(
    page: str, browse: Callable[[str], Any], server: FakeEvolutionServer
) -> None:
    """The state is told in words; what came while the server was away is fetched."""
    browser = browse("en-US")
    browser.get(page)
    wait_for(browser, "document.getElementById('state').innerText == 'Connected'")
    server.stop()
    wait_for(browser, "document.getElementById('state').innerText.startsWith('Connection lost')")
    server.emit(build.text("while away", sender=ANA, push_name="Ana", instance="sales"))
    server.start()
    wait_for(browser, "document.getElementById('chats').innerText.includes('while away')")

    assert browser.title == "Inbox"


def test_page_changes_its_language(
    page: str, browse: Callable[[str], Any], server: FakeEvolutionServer
) -> None:
    """One button switches between English and Portuguese."""
    browser = browse("en-US")
    browser.get(page)
    wait_for(browser, "document.getElementById('state').innerText == 'Connected'")
    before = browser.find_element("css selector", "nav h2").text
    browser.find_element("id", "language").click()
    after = browser.find_element("css selector", "nav h2").text
    language = browser.execute_script("return document.documentElement.lang")

    assert (before, after, language) == ("Conversations", "Conversas", "pt-BR")


def test_page_says_why_an_answer_was_not_sent(
    page: str, browse: Callable[[str], Any], server: FakeEvolutionServer
) -> None:
    """The server's refusal is shown, and the text stays to be sent again."""
    browser = browse("en-US")
    browser.get(page)
    wait_for(browser, "document.getElementById('state').dataset.state == 'open'")
    server.emit(build.text("Oi", sender=ANA, push_name="Ana", instance="sales"))
    open_chat(browser, "Ana")
    server.rest_fails(500, {"status": 500, "response": {"message": "Connection Closed"}})
    say(browser, "Hello")
    trouble = wait_for(browser, "document.getElementById('trouble').innerText")
    kept = browser.find_element("id", "text").get_attribute("value")

    assert trouble.startswith("Not sent: HTTP 500: Connection Closed")
    assert kept == "Hello"


def test_page_makes_no_markup_of_what_people_write(
    page: str, browse: Callable[[str], Any], server: FakeEvolutionServer
) -> None:
    """Names and texts are shown as they are, and unread messages are counted."""
    evil = "<img src=x onerror=document.title='owned'>"
    browser = browse("en-US")
    browser.get(page)
    wait_for(browser, "document.getElementById('state').dataset.state == 'open'")
    server.emit(build.text(evil, sender=ANA, push_name=f"Ana {evil}", instance="sales"))
    wait_for(browser, "document.title == '(1) Inbox'")
    shown = browser.find_element("css selector", "#chats .last").text
    pictures = browser.find_elements("css selector", "#chats img")

    assert shown == evil
    assert pictures == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"instance": "sales", "chat": ANA, "text": " "}, 400),
        ({"chat": ANA, "text": "a"}, 400),
        ({"instance": "nobody", "chat": ANA, "text": "a"}, 502),
        (None, 415),
    ],
    ids=["empty", "incomplete", "refused", "no-json"],
)
def test_page_refuses_what_makes_no_message(page: str, body: Any, status: int) -> None:
    """Bad requests have an answer that says so."""
    answer = requests.post(f"{page}/messages", json=body, timeout=PATIENCE)

    assert answer.status_code == status
    assert answer.headers["Content-Security-Policy"] == "default-src 'self'"
