"""Looks at pages in headless Chromium: browser.py FOLDER URL...

Each page is loaded on a wide screen in light and in dark, and on a phone. Fails if the browser reports anything (a violation of the
Content-Security-Policy, a file that is missing), if the page is wider than its screen, or if its text is too faint. The pictures
are in FOLDER. Chromium is driven by its DevTools protocol over a pipe, so that the page needs no script.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile

SCREENS = {"light": (1280, 900, "light", False), "dark": (1280, 900, "dark", False),
           "phone": (360, 740, "light", True), "phone-dark": (360, 740, "dark", True)}
# Of each element with text of its own: the contrast with the paper that is behind it (WCAG 2.2, 1.4.3).
CONTRAST = """
(() => {
    const channels = color => (color.match(/[\\d.]+/g) || []).map(Number);
    const light = color => {
        const [r, g, b] = channels(color).slice(0, 3).map(c => c / 255)
            .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = element => {
        for (let at = element; at; at = at.parentElement) {
            const color = getComputedStyle(at).backgroundColor;
            if (channels(color).length === 3) return color;
        }
        return "rgb(255, 255, 255)";
    };
    let worst = [99, ""];
    for (const element of document.body.querySelectorAll("*")) {
        if (element.closest("meter") || ![...element.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(element).color), light(paper(element))].sort((x, y) => y - x);
        const contrast = (a + 0.05) / (b + 0.05);
        if (contrast < worst[0]) worst = [contrast, element.outerHTML.slice(0, 100)];
    }
    return JSON.stringify({width: document.documentElement.scrollWidth, contrast: worst[0], of: worst[1]});
})()
"""


class Browser:
    def __init__(self, folder):
        ours, theirs = os.pipe(), os.pipe()  # to the browser, from it
        command = ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
                   "--disable-dev-shm-usage", f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank"]

        def pipes():  # the browser reads 3 and writes 4
            read, write = os.dup(ours[0]), os.dup(theirs[1])
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(command, preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.back, self.rest, self.number, self.events = ours[1], theirs[0], b"", 0, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Log", "Runtime", "Network"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)

    def read(self):
        while b"\0" not in self.rest:
            octets = os.read(self.back, 1 << 16)
            if not octets:
                sys.exit("chromium has ended")
            self.rest += octets
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def ask(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if getattr(self, "session", None):
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != self.number:
            self.events.append(answer)
        if "error" in answer:
            sys.exit(f"{method}: {answer['error']}")
        return answer["result"]

    def wait_for_load(self, loader):
        """Until this document is loaded: the event of the one before it may come late."""
        def is_loaded(event):
            of = event.get("params", {})
            return event.get("method") == "Page.lifecycleEvent" and of["name"] == "load" and of["loaderId"] == loader
        while not any(is_loaded(event) for event in self.events):
            self.events.append(self.read())

    def look(self, url, screen, file):
        """What is wrong with a page"""
        width, height, scheme, mobile = SCREENS[screen]
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events = []
        self.wait_for_load(self.ask("Page.navigate", url=url)["loaderId"])
        found = json.loads(self.ask("Runtime.evaluate", expression=CONTRAST)["result"]["value"])
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        with open(file, "wb") as out:
            out.write(base64.b64decode(picture["data"]))
        wrong = [event["params"]["entry"]["text"] for event in self.events if event.get("method") == "Log.entryAdded"]
        if found["width"] > width:
            wrong.append(f"it is {found['width']} wide")
        if found["contrast"] < 4.5:
            wrong.append(f"contrast {found['contrast']:.1f}: {found['of']}")
        return wrong


def main():
    folder, *urls = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    bad = False
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        try:
            for number, url in enumerate(urls):
                for screen in SCREENS:
                    for wrong in browser.look(url, screen, f"{folder}/{number}-{screen}.png"):
                        print(f"{url} on {screen}: {wrong}")
                        bad = True
        finally:
            browser.process.terminate()
            browser.process.wait()
    sys.exit(bad)


main()
