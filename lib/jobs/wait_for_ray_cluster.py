"""
Waits until the head and the fewest workers of every group are Ready, and writes what it saw into a ConfigMap.

The Job deletes itself when it has waited in vain: so the next apply waits again, and Terraform goes on to read why.
Arguments: namespace, name of the RayCluster, seconds to wait, seconds that an image may fail to come, annotation
that tells a head from one of an older description.
"""
namespace, name, wait_seconds, image_seconds, annotation = sys.argv[1:]
ray_path = f"/apis/ray.io/v1/namespaces/{namespace}/rayclusters/{name}"
pods_path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=ray.io/cluster%3D{name}"
result_path = f"/api/v1/namespaces/{namespace}/configmaps/{name}-ready"
job_path = f"/apis/batch/v1/namespaces/{namespace}/jobs/{name}-ready?propagationPolicy=Background"
end = time.monotonic() + float(wait_seconds)
# Why the cluster is not ready, as of the last look.
problems = []
# Since when the image of a container has failed to come.
failing_since = {}


def field(value, *names):
    """A field of a field, or an empty object where any is missing."""
    for key in names:
        value = value.get(key) or {}
    return value


def group_of(pod):
    return field(pod, "metadata", "labels").get("ray.io/group")


def is_ready(pod):
    conditions = field(pod, "status", "conditions")
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def container_trouble(container):
    waiting = field(container, "state", "waiting")
    if waiting.get("reason", "PodInitializing") in ("PodInitializing", "ContainerCreating"):
        return None
    ended = field(container, "lastState", "terminated")
    code = f", exit code {ended['exitCode']}" if "exitCode" in ended else ""
    of_image = f"container {container['name']} of image {container['image']}"
    return f"{of_image}: {waiting['reason']}: {waiting.get('message', '')}{code}"


def trouble(pod, now_failing):
    status = field(pod, "status")
    for container in [*field(status, "initContainerStatuses"), *field(status, "containerStatuses")]:
        found = container_trouble(container)
        if found and "Image" in container["state"]["waiting"]["reason"]:
            key = (pod["metadata"]["uid"], container["name"])
            now_failing[key] = failing_since.get(key, time.monotonic())
        if found:
            return found
    for condition in field(status, "conditions"):
        if condition["status"] == "False" and condition.get("message"):
            return f"{condition['type']} is false: {condition['message']}"
    return "not ready yet"


def look():
    """What is wanting of the cluster. Notes which images fail to come."""
    global failing_since
    now_failing = {}
    ray = call(ray_path)
    spec = ray["spec"]
    pods = [pod for pod in call(pods_path)["items"] or [] if "deletionTimestamp" not in pod["metadata"]]
    counts = {"headgroup": 1}
    for group in field(spec, "workerGroupSpecs"):
        counts[group["groupName"]] = group.get("minReplicas", 0) * group.get("numOfHosts", 1)
    found = []
    for group, count in counts.items():
        own = [pod for pod in pods if group_of(pod) == group]
        ready = [pod for pod in own if is_ready(pod)]
        if len(ready) < count:
            found.append(f"{len(ready)} of {count} pods of {group} are ready")
            unready = [pod for pod in own if pod not in ready]
            found += [f"pod {pod['metadata']['name']}: {trouble(pod, now_failing)}" for pod in unready]
    wanted = field(spec, "headGroupSpec", "template", "metadata", "annotations").get(annotation)
    for pod in pods:
        is_head = group_of(pod) == "headgroup"
        if is_head and wanted is not None and field(pod, "metadata", "annotations").get(annotation) != wanted:
            found.append(f"pod {pod['metadata']['name']} is of an older description: delete it if it stays")
    for condition in field(ray, "status", "conditions"):
        if condition["type"] == "ReplicaFailure" and found:
            found.append("the operator says: " + condition.get("message", ""))
    failing_since = now_failing
    return found


def is_settled():
    global problems
    is_hopeless = False
    try:
        problems = look()
        is_hopeless = any(time.monotonic() - since > float(image_seconds) for since in failing_since.values())
    except CallError as error:
        problems = [f"the API server does not answer: {error}"]
    except Exception as error:
        problems = [f"what the API server answers is not understood: {type(error).__name__}: {error}"]
    report(problems or "ready")
    return not problems or is_hopeless or time.monotonic() > end


def is_written_down():
    message = "; ".join(problems)[:2000].replace("\n", " ")
    call(result_path, "PATCH", {"data": {"ready": "false" if problems else "true", "message": message}})
    if problems:
        try:
            call(job_path, "DELETE")
        except CallError as error:
            if error.status != 404:
                raise
    return True


wait_until(is_settled)
wait_until(is_written_down)
