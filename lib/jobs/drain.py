"""Waits until the pods of a RayCluster are gone. Arguments: namespace, name of the RayCluster."""
namespace, name = sys.argv[1:]


def are_gone():
    pods = call(f"/api/v1/namespaces/{namespace}/pods?labelSelector=ray.io/cluster%3D{name}")["items"]
    if pods:
        report(f"waiting for {[pod['metadata']['name'] for pod in pods]}")
    return not pods


wait_until(are_gone)
