"""SkyPilot's own functions, one step after the other, against the cluster of $KUBECONFIG.

Usage: python steps.py STEP ...

They are what SkyPilot's commands call, without what those do on this machine. What they find there is made before,
by fixtures.ts.
"""
import os
import subprocess
import sys
import traceback
from types import SimpleNamespace

import yaml

from sky import global_user_state
from sky import models
from sky.adaptors import kubernetes
from sky.metrics import utils as metrics_utils
from sky.provision import common
from sky.provision.kubernetes import config
from sky.provision.kubernetes import instance
from sky.provision.kubernetes import network
from sky.provision.kubernetes import utils
from sky.provision.kubernetes import volume
from sky.utils import command_runner

CONTEXT = os.environ['SKY_CONTEXT']
NAMESPACE = os.environ['SKY_NAMESPACE']
ACCOUNT = os.environ['SKY_ACCOUNT']
IMAGE = os.environ['SKY_IMAGE']


def provider(**more):
    return {
        'context': CONTEXT,
        'namespace': NAMESPACE,
        'skypilot_system_namespace': 'skypilot-system',
        'use_internal_ips': True,
        'timeout': 60,
        **more
    }


def service(name, target_port):
    return {
        'apiVersion': 'v1',
        'kind': 'Service',
        'metadata': {
            'name': name,
            'labels': {
                'parent': 'skypilot',
                'skypilot-cluster-name': 'launched'
            }
        },
        'spec': {
            'selector': {
                'component': name
            },
            'ports': [{
                'protocol': 'TCP',
                'port': 22,
                'targetPort': target_port
            }]
        },
    }


def pod_spec():
    return {
        'serviceAccountName': ACCOUNT,
        'terminationGracePeriodSeconds': 0,
        'containers': [{
            'name': 'ray-node',
            'image': IMAGE,
            'command': ['sleep', '3600'],
            'resources': {
                'requests': {
                    'cpu': '100m',
                    'memory': '64Mi'
                }
            },
        }],
    }


def launch(name, provider_config, **more):
    node_config = {
        'apiVersion': 'v1',
        'kind': 'Pod',
        'metadata': {
            'labels': {
                'parent': 'skypilot'
            }
        },
        'spec': pod_spec(),
        **more
    }
    provision = common.ProvisionConfig(provider_config=provider_config,
                                       authentication_config={},
                                       docker_config={},
                                       node_config=node_config,
                                       count=1,
                                       tags={},
                                       resume_stopped_nodes=False,
                                       ports_to_open_on_launch=None)
    provision = config.bootstrap_instances(CONTEXT, name, provision)
    return instance.run_instances(CONTEXT, name, name, provision)


def check():
    good, reason = utils.check_credentials(CONTEXT)
    assert good, reason


def gpus():
    nodes = utils.get_kubernetes_node_info(CONTEXT).node_info_dict
    total = nodes['gpu-node'].total['accelerator_count']
    free = nodes['gpu-node'].free['accelerators_available']
    assert (total, free) == (8, 8), f'{free} of {total} GPUs are free'


def status_kubernetes():
    names = [pod.metadata.name for pod in utils.get_skypilot_pods(CONTEXT)]
    assert 'running-head' in names, names


def launch_pod():
    record = launch(
        'launched',
        provider(services=[service('launched-head', 22)]),
    )
    assert record.created_instance_ids == ['launched-head'], record


def launch_again():
    """With another port the Service is changed and not made."""
    for port in (22, 2222):
        config._configure_services(NAMESPACE, CONTEXT, provider(services=[service('changed-head', port)]))


def unschedulable():
    try:
        instance._raise_pod_scheduling_errors(
            NAMESPACE, CONTEXT, [SimpleNamespace(metadata=SimpleNamespace(name='unschedulable-head'))])
    except config.KubernetesError as error:
        assert 'node' in str(error), error
        return
    raise AssertionError('SkyPilot does not say why the pod is not scheduled')


def node_health():
    instance.get_missing_node_reason(['localhost'], provider())


def run_command():
    runner = command_runner.KubernetesCommandRunner(((NAMESPACE, CONTEXT), 'running-head'), container='ray-node')
    code, printed, errors = runner.run('echo $((6 * 7))', require_outputs=True, separate_stderr=True, stream_logs=False)
    assert (code, printed.strip()) == (0, '42'), (code, printed, errors)


def ssh_proxy():
    """What ssh calls as its ProxyCommand; a web server answers instead of sshd."""
    script = os.path.expanduser(utils.create_proxy_command_script())
    done = subprocess.run([script, '-c', CONTEXT, '-n', NAMESPACE, 'running-head'],
                          input='GET / HTTP/1.0\r\n\r\n',
                          capture_output=True,
                          text=True,
                          timeout=30,
                          check=False)
    assert 'HTTP/1.0 200 OK' in done.stdout, done


def autostop():
    """Sets and takes back the time after which the cluster ends itself."""
    global_user_state.set_cluster_yaml('running', yaml.safe_dump({'provider': provider()}))
    handle = SimpleNamespace(cluster_name_on_cloud='running', cluster_yaml='running.yml')
    utils.set_autodown_annotations(handle, 5, down=True)
    utils.set_autodown_annotations(handle, -1)


def replace_terminating():
    """A pod that Kueue keeps from ending."""
    instance._force_remove_terminating_pod('stuck-head', NAMESPACE, CONTEXT)
    try:
        kubernetes.core_api(CONTEXT).read_namespaced_pod('stuck-head', NAMESPACE)
    except kubernetes.api_exception() as error:
        assert error.status == 404, error
        return
    raise AssertionError('the pod is still there')


def down():
    instance.terminate_instances('ended', provider())


def ports_loadbalancer():
    ports = provider(port_mode='loadbalancer')
    network.open_ports('running', ['8080'], ports)
    network.open_ports('running', ['8080-8081'], ports)
    found = network.query_ports('running', ['8080'], provider_config=ports)
    assert found[8080][0].host == '192.0.2.1', found
    network.cleanup_ports('running', ['8080-8081'], ports)


def ports_podip():
    found = network.query_ports('running', ['8080'], provider_config=provider(port_mode='podip'))
    assert found[8080][0].host, found


def ports_ingress():
    ports = provider(port_mode='ingress')
    network.open_ports('running', ['8080'], ports)
    network.open_ports('running', ['8080'], ports)
    found = network.query_ports('running', ['8080'], provider_config=ports)
    assert found[8080][0].host == '192.0.2.1', found
    network.cleanup_ports('running', ['8080'], ports)


def volumes():
    """With the cluster's default storage class and with one that is named; then what is known of them; then away."""
    made = [
        models.VolumeConfig(_version=1,
                            name=name,
                            type='k8s-pvc',
                            cloud='kubernetes',
                            region=CONTEXT,
                            zone=None,
                            name_on_cloud=name,
                            size='1',
                            config={
                                'access_mode': 'ReadWriteOnce',
                                'namespace': NAMESPACE,
                                **more
                            }) for name, more in (('volume', {}), ('volume-of-class', {
                                'storage_class_name': 'rehearsal'
                            }))
    ]
    for each in made:
        volume.apply_volume(each)
    errors, _, failed = volume.get_all_volumes_state(made)
    assert set(errors) == {'volume', 'volume-of-class'} and not failed, (errors, failed)
    for each in made:
        volume.delete_volume(each)


def ha_controller():
    """A controller as a Deployment that keeps its home in a volume."""
    labels = {'app': 'controller'}
    deployment = {
        'apiVersion': 'apps/v1',
        'kind': 'Deployment',
        'metadata': {
            'name': 'controller-deployment',
            'namespace': NAMESPACE
        },
        'spec': {
            'replicas': 1,
            'selector': {
                'matchLabels': labels
            },
            'template': {
                'metadata': {},
                'spec': {}
            }
        },
    }
    claim = {
        'apiVersion': 'v1',
        'kind': 'PersistentVolumeClaim',
        'metadata': {
            'name': f'controller-{utils.HIGH_AVAILABILITY_DEPLOYMENT_VOLUME_MOUNT_NAME}',
            'namespace': NAMESPACE
        },
        'spec': {
            'accessModes': ['ReadWriteOnce'],
            'resources': {
                'requests': {
                    'storage': '1Gi'
                }
            }
        },
    }
    launch('controller',
           provider(),
           metadata={'labels': {
               'parent': 'skypilot',
               **labels
           }},
           deployment_spec=deployment,
           pvc_spec=claim)
    runner = command_runner.KubernetesCommandRunner(((NAMESPACE, CONTEXT), 'controller'),
                                                    deployment='controller-deployment')
    code, printed, errors = runner.run('echo here', require_outputs=True, separate_stderr=True, stream_logs=False)
    assert (code, printed.strip()) == (0, 'here'), (code, printed, errors)
    instance.terminate_instances('controller', provider())


def ha_controller_restarting():
    """While the Deployment has no pod, a command waits for one."""
    runner = command_runner.KubernetesCommandRunner(((NAMESPACE, CONTEXT), 'restarting'),
                                                    deployment='restarting-deployment')
    _, _, errors = runner.run('true', require_outputs=True, separate_stderr=True, stream_logs=False, connect_timeout=2)
    assert 'timed out waiting' in errors, errors


def host_network():
    ports = instance._read_host_network_sshd_ports('running', NAMESPACE, CONTEXT, ['running-head'])
    assert ports['running-head'], ports


def gpu_metrics():
    assert metrics_utils._read_cluster_identity_uid(kubernetes.core_api(CONTEXT))


def object_store_mounts():
    config._configure_fuse_mounting(provider())


def autodown():
    """What a pod does with its own token when its cluster has been idle."""
    instance.emit_autostop_event_best_effort(provider(), 'idle')
    instance.terminate_instances('idle', provider())


STEPS = {
    'check': check,
    'gpus': gpus,
    'status-kubernetes': status_kubernetes,
    'launch': launch_pod,
    'launch-again': launch_again,
    'unschedulable': unschedulable,
    'node-health': node_health,
    'run': run_command,
    'ssh': ssh_proxy,
    'autostop': autostop,
    'replace-terminating': replace_terminating,
    'down': down,
    'ports-loadbalancer': ports_loadbalancer,
    'ports-podip': ports_podip,
    'ports-ingress': ports_ingress,
    'volumes': volumes,
    'ha-controller': ha_controller,
    'ha-controller-restarting': ha_controller_restarting,
    'host-network': host_network,
    'gpu-metrics': gpu_metrics,
    'object-store-mounts': object_store_mounts,
    'autodown': autodown,
}

failed = []
for step in sys.argv[1:]:
    print(f'== {step}', flush=True)
    try:
        STEPS[step]()
    except Exception:
        failed.append(step)
        traceback.print_exc()
sys.exit(f'failed: {" ".join(failed)}' if failed else 0)
