"""Waits until the API server serves RayClusters. Reading what is served needs no role."""


def is_served():
    served = [resource["name"] for resource in call("/apis/ray.io/v1")["resources"]]
    report(f"ray.io/v1 serves {served}")
    return "rayclusters" in served


wait_until(is_served)
