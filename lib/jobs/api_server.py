"""What every program here begins with: its text stands in front of theirs."""
import http.client
import json
import pathlib
import ssl
import sys
import time
import urllib.error
import urllib.request

SERVER = "https://kubernetes.default.svc"
ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
POLL_SECONDS = 2
CALL_SECONDS = 10


class CallError(Exception):
    """The API server refused a call, or gave no answer that can be read."""

    def __init__(self, call, reason, status=None):
        super().__init__(f"{call}: {reason}")
        self.status = status


def call(path, method="GET", body=None):
    """Calls the API server as the pod's service account and returns the object that it answers with."""
    try:
        # Read at every call, because the kubelet replaces both files.
        token = (ACCOUNT / "token").read_text().strip()
        tls = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        # Python 3.13 asks for extensions that the certificates of many clusters lack.
        tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        headers = {"Authorization": "Bearer " + token, "Content-Type": "application/merge-patch+json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(SERVER + path, data, headers, method=method)
        with urllib.request.urlopen(request, context=tls, timeout=CALL_SECONDS) as response:
            answer = json.load(response)
    except urllib.error.HTTPError as error:
        raise CallError(f"{method} {path}", f"{error.code} {explanation(error)}", error.code) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CallError(f"{method} {path}", error) from None
    if not isinstance(answer, dict):
        raise CallError(f"{method} {path}", "the answer is not an object")
    return answer


def explanation(error):
    """Why the API server refuses, in its own words where it says so."""
    try:
        return json.load(error)["message"]
    except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError):
        return error.reason


def wait_until(is_done):
    """Asks again and again. What goes wrong meanwhile is printed: the Job's deadline ends a wait in vain."""
    while True:
        try:
            if is_done():
                return
        except Exception as error:
            report(f"{type(error).__name__}: {error}")
        time.sleep(POLL_SECONDS)


def report(text):
    print(text, flush=True)
