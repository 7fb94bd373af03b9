package engine

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/operator-tracing/sandbox/sandbox/engine/enginetest"
)

// Scripts of fake engines.
const (
	works = `case "$1" in
image) exit 0;;
run) echo '{"architecture":"arm64","kernel":"6.1","cgroupV2":true,"mount":true,"memory":4096}';;
esac`
	worksWithFewPIDs = `case "$1" in
image) exit 0;;
run) echo '{"architecture":"amd64","mount":true,"pids":2048}';;
esac`
	daemonDown = `echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1`
	runFails   = `case "$1" in
image) exit 0;;
run) echo 'first line' >&2; echo 'Error: crun: cannot set limits: Operation not permitted' >&2; exit 126;;
esac`
	garbage = `case "$1" in
image) exit 0;;
run) echo 'Emulate Docker CLI using podman.'; echo 'not JSON';;
esac`
	unprivileged = `case "$1" in
image) exit 0;;
run) echo '{"architecture":"amd64","mount":false}';;
esac`
	worksWithConf = `case "$1" in
image) exit 0;;
run) if [ -z "$CONTAINERS_CONF" ]; then echo 'Error: setrlimit RLIMIT_NOFILE: Operation not permitted' >&2; exit 126; fi
	echo '{"architecture":"amd64","mount":true}';;
esac`
)

func search(t *testing.T, provider string) Search {
	t.Helper()
	return Search{
		Provider: provider, ContainersConf: filepath.Join(t.TempDir(), "containers.conf"),
		Probe: Probe{Name: "localhost/probe:1", Write: func(out io.Writer) error {
			_, err := io.WriteString(out, "archive")
			return err
		}},
	}
}

func TestDetectReturnsTheFirstWorkingEngine(t *testing.T) {
	for _, test := range []struct {
		name     string
		engines  map[string]string
		provider string
		variable string // KIND_EXPERIMENTAL_PROVIDER
		want     string
		conf     bool
	}{
		{name: "docker before podman", engines: map[string]string{"docker": works, "podman": works}, want: "docker"},
		{name: "podman when docker's daemon is down", engines: map[string]string{"docker": daemonDown, "podman": works}, want: "podman"},
		{name: "nerdctl when podman grants no privileges", engines: map[string]string{"podman": unprivileged, "nerdctl": works}, want: "nerdctl"},
		{name: "the requested engine", engines: map[string]string{"docker": works, "podman": works}, provider: "podman", want: "podman"},
		{name: "kind's variable", engines: map[string]string{"docker": works, "podman": works}, provider: "auto", variable: "podman", want: "podman"},
		{name: "the option before kind's variable", engines: map[string]string{"docker": works, "podman": works}, provider: "docker", variable: "podman", want: "docker"},
		{name: "podman with adapted limits", engines: map[string]string{"podman": worksWithConf}, want: "podman", conf: true},
		{name: "podman with few processes", engines: map[string]string{"podman": worksWithFewPIDs}, want: "podman", conf: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := enginetest.New(t)
			t.Setenv("KIND_EXPERIMENTAL_PROVIDER", test.variable)
			for name, body := range test.engines {
				f.Engine(name, body)
			}
			s := search(t, test.provider)
			engine, err := Detect(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if engine.Name != test.want || engine.Host == nil || !engine.Host.Mount {
				t.Errorf("Detect = %+v, want %s", engine, test.want)
			}
			if (engine.ContainersConf == s.ContainersConf) != test.conf {
				t.Errorf("ContainersConf = %q; needed: %t", engine.ContainersConf, test.conf)
			}
		})
	}
}

func TestDetectReportsTheErrorOfEachEngine(t *testing.T) {
	for _, test := range []struct {
		name, engine, body string
		wants              []string
	}{
		{"none installed", "", "", []string{"docker: not installed; podman: not installed; nerdctl: not installed"}},
		{"the daemon is down", "docker", daemonDown, []string{"docker: loading image localhost/probe:1 into docker: ", "Is the docker daemon running?"}},
		{"the container does not start", "nerdctl", runFails, []string{"nerdctl: running nerdctl run: exit status 126: Error: crun: cannot set limits"}},
		{"the probe prints nonsense", "docker", garbage, []string{`docker: reading the output of the probe ("not JSON")`}},
		{"no privileges", "docker", unprivileged, []string{"docker: a container started with --privileged may not mount file systems"}},
		{"podman without settings", "podman", runFails, []string{"podman: running podman run: exit status 126: ", "with limits for this host"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := enginetest.New(t)
			if test.engine != "" {
				f.Engine(test.engine, test.body)
			}
			_, err := Detect(t.Context(), search(t, ""))
			var none *NoEngineError
			if !errors.As(err, &none) || len(none.Tried) != 3 {
				t.Fatalf("Detect: got error %v, want a *NoEngineError with three engines", err)
			}
			enginetest.WantError(t, err, append(test.wants, "scripts/prerequisites.sh")...)
			if strings.Contains(err.Error(), "first line") {
				t.Errorf("error %q contains more than the last line of the engine's output", err)
			}
		})
	}
}

func TestDetectWithBrokenSettingsOfPodman(t *testing.T) {
	f := enginetest.New(t)
	f.Engine("podman", runFails)
	userConf(t, map[string]string{"containers.conf": "[containers\n"})
	_, err := Detect(t.Context(), search(t, "podman"))
	enginetest.WantError(t, err, "exit status 126", "adapting its settings", "containers/containers.conf")
}

func TestDetectRejectsAnUnknownProvider(t *testing.T) {
	enginetest.New(t)
	_, err := Detect(t.Context(), search(t, "lxc"))
	enginetest.WantError(t, err, `"lxc"`, "docker, podman, nerdctl")
}

func TestDetectKeepsContainersConfOfTheUser(t *testing.T) {
	f := enginetest.New(t)
	f.Engine("podman", runFails)
	t.Setenv("CONTAINERS_CONF", "/somewhere/containers.conf")
	s := search(t, "podman")
	if _, err := Detect(t.Context(), s); err == nil {
		t.Error("Detect: got no error")
	}
	if _, err := os.Stat(s.ContainersConf); !os.IsNotExist(err) {
		t.Errorf("Detect wrote a containers.conf although the user has one: %v", err)
	}
}

func TestDetectEndsWithItsContext(t *testing.T) {
	f := enginetest.New(t)
	f.Engine("docker", "exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Detect(ctx, search(t, "")); !errors.Is(err, context.Canceled) {
		t.Errorf("Detect: got error %v, want context.Canceled", err)
	}
}

func TestDetectLoadsAMissingProbe(t *testing.T) {
	f := enginetest.New(t)
	f.Engine("docker", `case "$1" in
image) [ -e "$FAKE/image" ];;
load) cat > "$FAKE/image";;
run) [ -e "$FAKE/image" ] && echo '{"mount":true}';;
esac`)
	if _, err := Detect(t.Context(), search(t, "docker")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.File("docker", "image"))
	if err != nil || string(data) != "archive" {
		t.Errorf("the engine loaded %q, %v, want archive", data, err)
	}
	if !f.Called("docker", "run --rm --privileged") {
		t.Errorf("calls = %q, want a privileged container that is deleted", f.Calls("docker"))
	}
}

func TestEnsureImage(t *testing.T) {
	t.Run("failing writer", func(t *testing.T) {
		f := enginetest.New(t)
		f.Engine("docker", `case "$1" in image) exit 1;; load) cat > /dev/null;; esac`)
		failure := errors.New("layer is gone")
		_, err := (&Engine{Name: "docker"}).EnsureImage(t.Context(), "localhost/a:1", func(io.Writer) error { return failure })
		if !errors.Is(err, failure) {
			t.Errorf("EnsureImage: got error %v, want %v", err, failure)
		}
	})
	t.Run("engine that stops reading", func(t *testing.T) {
		f := enginetest.New(t)
		f.Engine("docker", `case "$1" in image) exit 1;; load) echo 'no space left on device' >&2; exit 1;; esac`)
		_, err := (&Engine{Name: "docker"}).EnsureImage(t.Context(), "localhost/a:1", func(out io.Writer) error {
			_, err := out.Write(make([]byte, 1<<20))
			return err
		})
		enginetest.WantError(t, err, "loading image localhost/a:1 into docker", "no space left on device")
	})
	t.Run("image exists", func(t *testing.T) {
		f := enginetest.New(t)
		f.Engine("docker", `exit 0`)
		loaded, err := (&Engine{Name: "docker"}).EnsureImage(t.Context(), "localhost/a:1", nil)
		if loaded || err != nil || f.Called("docker", "load") {
			t.Errorf("EnsureImage = %t, %v, want false", loaded, err)
		}
	})
}

func TestRemoveImagesKeepsOtherImages(t *testing.T) {
	f := enginetest.New(t)
	f.Engine("podman", `case "$1" in
ps) echo localhost/operator-tracing/running:1;;
images) printf 'localhost/operator-tracing/node:1\nlocalhost/mine:1\n<none>:<none>\nlocalhost/operator-tracing/used:2\nlocalhost/operator-tracing/running:1\n';;
rmi) case "$2" in *used*) echo 'image is in use by a container' >&2; exit 2;; esac;;
esac`)
	err := (&Engine{Name: "podman"}).RemoveImages(t.Context(), "localhost/operator-tracing/")
	enginetest.WantError(t, err, "running podman rmi", "in use by a container")
	if f.Called("podman", "rmi localhost/mine") || f.Called("podman", "rmi localhost/operator-tracing/running:1") || !f.Called("podman", "rmi localhost/operator-tracing/node:1") {
		t.Errorf("calls = %q", f.Calls("podman"))
	}
}

func TestRunReportsATimeout(t *testing.T) {
	f := enginetest.New(t)
	f.Engine("docker", "exec sleep 60")
	_, err := (&Engine{Name: "docker"}).Run(t.Context(), 50_000_000, nil, "ps", "--all")
	enginetest.WantError(t, err, "running docker ps: no answer within 50ms")
}
