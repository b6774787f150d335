// Command gcsfuse-driver plays the node's side of Google's Cloud Storage FUSE CSI driver, which no Go module brings: it
// mounts the bucket of a pod's volume by the real gcsfuse, as the pod's own identity. Google's runs gcsfuse in a sidecar of
// the pod instead, which its webhook adds.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"k8s.io/apimachinery/pkg/api/resource"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

const (
	name = "gcsfuse.csi.storage.gke.io"
	// How long a mount may take; the kubelet tries again when it fails.
	mountTimeout = 30 * time.Second
	fuseMagic    = 0x65735546
)

var (
	kubeletFolder = flag.String("kubelet-folder", "", "root folder of the kubelet")
	nodeName      = flag.String("node", "", "name of the node")
	gcsfuse       = flag.String("gcsfuse", "", "the gcsfuse program")
	tokenURL      = flag.String("token-url", "", "answers with a pod's token: /NAMESPACE/POD is added to it")
	logFolder     = flag.String("log-folder", "", "where each mount has a log of its own")
)

func main() {
	flag.Parse()
	driver := &driver{}
	endpoint := filepath.Join(*kubeletFolder, "plugins", name, "csi.sock")
	registry := filepath.Join(*kubeletFolder, "plugins_registry", name+"-reg.sock")
	go serve(endpoint, func(server *grpc.Server) {
		csi.RegisterIdentityServer(server, driver)
		csi.RegisterNodeServer(server, driver)
	})
	serve(registry, func(server *grpc.Server) {
		registration.RegisterRegistrationServer(server, &registrar{endpoint: endpoint})
	})
}

func serve(socket string, register func(*grpc.Server)) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o750); err != nil {
		log.Fatal(err)
	}
	os.Remove(socket)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	register(server)
	log.Fatal(server.Serve(listener))
}

// registrar tells the kubelet where the driver is.
type registrar struct {
	registration.UnimplementedRegistrationServer
	endpoint string
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              name,
		Endpoint:          r.endpoint,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(
	_ context.Context, outcome *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !outcome.PluginRegistered {
		log.Fatalf("the kubelet refuses the driver: %s", outcome.Error)
	}
	return &registration.RegistrationStatusResponse{}, nil
}

type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedNodeServer
	lock sync.Mutex
}

func (d *driver) GetPluginInfo(context.Context, *csi.GetPluginInfoRequest) (*csi.GetPluginInfoResponse, error) {
	return &csi.GetPluginInfoResponse{Name: name, VendorVersion: "rehearsal"}, nil
}

func (d *driver) GetPluginCapabilities(
	context.Context, *csi.GetPluginCapabilitiesRequest,
) (*csi.GetPluginCapabilitiesResponse, error) {
	return &csi.GetPluginCapabilitiesResponse{}, nil
}

func (d *driver) Probe(context.Context, *csi.ProbeRequest) (*csi.ProbeResponse, error) {
	return &csi.ProbeResponse{}, nil
}

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: *nodeName}, nil
}

func (d *driver) NodeGetCapabilities(
	context.Context, *csi.NodeGetCapabilitiesRequest,
) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{}, nil
}

func (d *driver) NodePublishVolume(
	_ context.Context, request *csi.NodePublishVolumeRequest,
) (*csi.NodePublishVolumeResponse, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	target := request.GetTargetPath()
	if isMounted(target) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	cache := filepath.Join(*kubeletFolder, "gcsfuse", request.GetVolumeId())
	if err := checkAccess(request.GetVolumeContext()); err != nil {
		return nil, status.Error(codes.PermissionDenied, err.Error())
	}
	flags, err := mountFlags(request, cache)
	if err != nil {
		return nil, status.Error(codes.InvalidArgument, err.Error())
	}
	if err := os.MkdirAll(target, 0o750); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	command := exec.Command(*gcsfuse, append(flags, request.GetVolumeContext()["bucketName"], target)...)
	if err := mount(command, request); err != nil {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodePublishVolumeResponse{}, nil
}

func (d *driver) NodeUnpublishVolume(
	_ context.Context, request *csi.NodeUnpublishVolumeRequest,
) (*csi.NodeUnpublishVolumeResponse, error) {
	d.lock.Lock()
	defer d.lock.Unlock()
	target := request.GetTargetPath()
	if isMounted(target) {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
	}
	// Only ever an empty folder: what is in it otherwise are the objects of the bucket.
	if err := os.Remove(target); err != nil && !os.IsNotExist(err) {
		return nil, status.Error(codes.Internal, err.Error())
	}
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

// checkAccess looks into the bucket as the pod, as Google's driver does before it mounts.
func checkAccess(attributes map[string]string) error {
	var token struct {
		Value string `json:"access_token"`
	}
	if err := getJSON(*tokenURL+podPath(attributes), "", &token); err != nil {
		return err
	}
	bucket := url.PathEscape(attributes["bucketName"])
	var objects struct{}
	return getJSON("https://storage.googleapis.com/storage/v1/b/"+bucket+"/o?maxResults=1", token.Value, &objects)
}

func getJSON(address, token string, answer any) error {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return json.Unmarshal(text, answer)
}

// mount starts gcsfuse and returns when the folder shows the bucket, or says why it does not.
func mount(command *exec.Cmd, request *csi.NodePublishVolumeRequest) error {
	attributes := request.GetVolumeContext()
	volume := filepath.Base(filepath.Dir(request.GetTargetPath()))
	logName := fmt.Sprintf("gcsfuse-%s-%s.log", podName(attributes), volume)
	file, err := os.Create(filepath.Join(*logFolder, logName))
	if err != nil {
		return err
	}
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for deadline := time.After(mountTimeout); ; {
		select {
		case err := <-ended:
			return fmt.Errorf("gcsfuse ended (%v): %s", err, lastLine(file.Name()))
		case <-deadline:
			command.Process.Kill()
			return fmt.Errorf("gcsfuse did not mount in time: %s", lastLine(file.Name()))
		case <-time.After(50 * time.Millisecond):
			if isMounted(request.GetTargetPath()) {
				return nil
			}
		}
	}
}

// mountFlags turns what the volume says into flags of gcsfuse, as the sidecar of Google's driver does.
func mountFlags(request *csi.NodePublishVolumeRequest, cache string) ([]string, error) {
	attributes := request.GetVolumeContext()
	flags := []string{
		"--foreground",
		"--log-format=text",
		"--token-url=" + *tokenURL + podPath(attributes),
		// The double of Cloud Storage speaks no gRPC, by which the kind of a bucket is asked, and its store cannot move objects.
		"--enable-hns=false",
		"--enable-atomic-rename-object=false",
		"-o", "allow_other",
	}
	if request.GetReadonly() {
		flags = append(flags, "-o", "ro")
	}
	for key, value := range attributes {
		switch {
		case key == "mountOptions":
			options, configuration := splitOptions(value)
			file := cache + ".json"
			if err := writeJSON(file, configuration); err != nil {
				return nil, err
			}
			flags = append(append(flags, options...), "--config-file="+file)
		case key == "fileCacheCapacity":
			capacity, err := resource.ParseQuantity(value)
			if err != nil {
				return nil, fmt.Errorf("fileCacheCapacity: %s: %v", value, err)
			}
			megabytes := capacity.Value() >> 20
			flags = append(flags, "--cache-dir="+cache, fmt.Sprintf("--file-cache-max-size-mb=%d", megabytes))
		case key == "bucketName" || strings.HasPrefix(key, "csi.storage.k8s.io/"):
		default:
			return nil, fmt.Errorf("volume attribute %s is not rehearsed", key)
		}
	}
	return flags, nil
}

// splitOptions tells flags from settings of the configuration file, which are written as path:to:setting:value.
func splitOptions(mountOptions string) (flags []string, configuration map[string]any) {
	configuration = map[string]any{}
	for _, option := range strings.Split(mountOptions, ",") {
		path := strings.Split(option, ":")
		if len(path) == 1 {
			flags = append(flags, "--"+option)
			continue
		}
		section := configuration
		for _, key := range path[:len(path)-2] {
			inner, ok := section[key].(map[string]any)
			if !ok {
				inner = map[string]any{}
				section[key] = inner
			}
			section = inner
		}
		section[path[len(path)-2]] = settingOf(path[len(path)-1])
	}
	return flags, configuration
}

// settingOf is a number or a truth value where it reads like one.
func settingOf(text string) any {
	var value any
	if json.Unmarshal([]byte(text), &value) == nil {
		return value
	}
	return text
}

// writeJSON writes a configuration file: JSON is YAML too.
func writeJSON(file string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o640)
}

func podPath(attributes map[string]string) string {
	return "/" + url.PathEscape(attributes["csi.storage.k8s.io/pod.namespace"]) + "/" + url.PathEscape(podName(attributes))
}

func podName(attributes map[string]string) string {
	return attributes["csi.storage.k8s.io/pod.name"]
}

func isMounted(folder string) bool {
	var stat unix.Statfs_t
	return unix.Statfs(folder, &stat) == nil && int64(stat.Type) == fuseMagic
}

func lastLine(file string) string {
	text, _ := os.ReadFile(file)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}
