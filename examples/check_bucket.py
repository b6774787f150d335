"""Writes and reads an object in a bucket from a Ray task, as the pods' own identity.

Run it inside the head pod, with the bucket's name:

    head=$(kubectl get pod -n ray -l ray.io/cluster=raycluster-mini,ray.io/node-type=head -o name)
    kubectl exec -n ray -i $head -c ray-head -- python3 - my-bucket < examples/check_bucket.py

With --pip, Ray installs the client library on the node of the task, for images that do not have it.
"""

import sys

import ray


@ray.remote
def check_gcs_read_write(bucket_name):
    from google.cloud import storage

    client = storage.Client()
    bucket = client.get_bucket(bucket_name)
    blob = bucket.blob("test_file.txt")
    blob.upload_from_string("Hello, Ray on GKE!")
    return blob.download_as_text()


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[1:] if argument != "--pip"]
    if len(arguments) != 1:
        sys.exit("give the name of the bucket, and --pip where the image lacks google-cloud-storage")
    packages = {"pip": ["google-cloud-storage"]} if "--pip" in sys.argv else {}
    ray.init(address="auto", runtime_env=packages, log_to_driver=False)
    print(ray.get(check_gcs_read_write.remote(arguments[0])))
