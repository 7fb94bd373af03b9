package existing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// againAfter is the interval between two attempts of a forward.
const againAfter = 250 * time.Millisecond

// PodFinder returns the Pod to forward ports to. After the Pod is deleted, it should return another
// Pod.
type PodFinder func(context.Context) (types.NamespacedName, error)

// Forward forwards ports of 127.0.0.1 to a Pod, and reconnects when the Pod is replaced. It is safe
// for concurrent use.
type Forward struct {
	local  map[int]int
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// NewForward forwards free ports of 127.0.0.1 to ports of the Pod that find returns, until Close.
// It returns when the first connection is open; ctx only limits this wait. The user needs
// permission to create pods/portforward.
func NewForward(ctx context.Context, config *rest.Config, find PodFinder, ports ...int) (*Forward, error) {
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("forwarding ports: %w", err)
	}
	f := &Forward{local: map[int]int{}}
	for _, port := range ports {
		f.local[port] = 0 // Any free port.
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f.cancel = cancel
	first := make(chan error, 1)
	f.ended.Go(func() { f.keep(running, clientset, config, find, first) })
	select {
	case err = <-first:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("forwarding ports: %w", err)
	}
	return f, nil
}

// Local returns the port of 127.0.0.1 that is forwarded to a port of the Pod.
func (f *Forward) Local(port int) int { return f.local[port] }

// Close stops the forward and waits for its goroutines. It is idempotent. A nil Forward is valid.
func (f *Forward) Close() {
	if f != nil {
		f.cancel()
		f.ended.Wait()
	}
}

// keep forwards ports, and reconnects after a lost connection. first receives the result of the
// first attempt.
func (f *Forward) keep(ctx context.Context, clientset kubernetes.Interface, config *rest.Config, find PodFinder, first chan<- error) {
	started := false
	for {
		pod, err := find(ctx)
		if err == nil {
			err = f.once(ctx, clientset, config, pod, func(chosen []portforward.ForwardedPort) {
				if started {
					return // The ports are equal, and other goroutines may be reading them.
				}
				started = true
				for _, port := range chosen {
					f.local[int(port.Remote)] = int(port.Local)
				}
				first <- nil
			})
		}
		if !started {
			first <- err
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(againAfter):
		}
	}
}

func (f *Forward) once(ctx context.Context, clientset kubernetes.Interface, config *rest.Config, pod types.NamespacedName, started func([]portforward.ForwardedPort)) error {
	dialer, err := dialTo(clientset, config, pod)
	if err != nil {
		return err
	}
	var ports []string
	for port, local := range f.local {
		ports = append(ports, strconv.Itoa(local)+":"+strconv.Itoa(port))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ready := make(chan struct{})
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(ctx, dialer, []string{"127.0.0.1"}, ports, ready, io.Discard, io.Discard)
	if err != nil {
		return fmt.Errorf("to Pod %s: %w", pod, err)
	}
	done := make(chan error, 1)
	go func() { done <- forwarder.ForwardPorts() }()
	select {
	case err = <-done:
	case <-ready:
		var chosen []portforward.ForwardedPort
		if chosen, err = forwarder.GetPorts(); err == nil {
			started(chosen)
			err = <-done
		}
	}
	if err != nil {
		return fmt.Errorf("to Pod %s: %w", pod, err)
	}
	return errors.New("connection ended")
}

// dialTo returns a dialer that tunnels SPDY through a WebSocket. It falls back to plain SPDY for
// API servers before 1.30 and for proxies without support for WebSockets.
func dialTo(clientset kubernetes.Interface, config *rest.Config, pod types.NamespacedName) (httpstream.Dialer, error) {
	url := clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	tunnel, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, config)
	if err != nil {
		return nil, fmt.Errorf("to Pod %s: %w", pod, err)
	}
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return nil, fmt.Errorf("to Pod %s: %w", pod, err)
	}
	plain := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	return portforward.NewFallbackDialerForStreaming(tunnel, plain, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}
