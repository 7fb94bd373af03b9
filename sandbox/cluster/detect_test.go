package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What fake engines do.
const (
	works = `case "$1" in
image) exit 0;;
run) echo '{"architecture":"arm64","kernel":"6.1","cgroupV2":true,"mount":true,"memory":4096}';;
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

func TestDetectChoosesTheFirstThatWorks(t *testing.T) {
	for _, test := range []struct {
		name     string
		engines  map[string]string
		provider string
		kinds    string // KIND_EXPERIMENTAL_PROVIDER
		want     string
		conf     bool
	}{
		{name: "docker before podman", engines: map[string]string{"docker": works, "podman": works}, want: "docker"},
		{name: "podman when docker's daemon is down", engines: map[string]string{"docker": daemonDown, "podman": works}, want: "podman"},
		{name: "nerdctl when podman gives no privileges", engines: map[string]string{"podman": unprivileged, "nerdctl": works}, want: "nerdctl"},
		{name: "the one asked for", engines: map[string]string{"docker": works, "podman": works}, provider: "podman", want: "podman"},
		{name: "kind's variable", engines: map[string]string{"docker": works, "podman": works}, provider: "auto", kinds: "podman", want: "podman"},
		{name: "the option before kind's variable", engines: map[string]string{"docker": works, "podman": works}, provider: "docker", kinds: "podman", want: "docker"},
		{name: "podman that needs other limits", engines: map[string]string{"podman": worksWithConf}, want: "podman", conf: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakes(t)
			t.Setenv("KIND_EXPERIMENTAL_PROVIDER", test.kinds)
			for name, body := range test.engines {
				f.engine(name, body)
			}
			s := search(t, test.provider)
			engine, err := Detect(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if engine.Name != test.want || engine.Host == nil || !engine.Host.Mount {
				t.Errorf("engine %+v, want %s", engine, test.want)
			}
			if (engine.ContainersConf == s.ContainersConf) != test.conf {
				t.Errorf("containers.conf %q; needed: %t", engine.ContainersConf, test.conf)
			}
		})
	}
}

func TestDetectSaysWhyNoneWorks(t *testing.T) {
	for _, test := range []struct {
		name, engine, body string
		wants              []string
	}{
		{"none installed", "", "", []string{"docker: not installed; podman: not installed; nerdctl: not installed"}},
		{"the daemon is down", "docker", daemonDown, []string{"docker: loading image localhost/probe:1 into docker: ", "Is the docker daemon running?"}},
		{"the container does not start", "nerdctl", runFails, []string{"nerdctl: running nerdctl run: exit status 126: Error: crun: cannot set limits"}},
		{"the probe prints nonsense", "docker", garbage, []string{`docker: reading what the probe printed ("not JSON")`}},
		{"no privileges", "docker", unprivileged, []string{"docker: a container started with --privileged may not mount file systems"}},
		{"podman with no settings", "podman", runFails, []string{"podman: running podman run: exit status 126: ", "and with limits that fit this host"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := newFakes(t)
			if test.engine != "" {
				f.engine(test.engine, test.body)
			}
			_, err := Detect(t.Context(), search(t, ""))
			var none *NoEngineError
			if !errors.As(err, &none) || len(none.Tried) != 3 {
				t.Fatalf("error %v, want a *NoEngineError about three engines", err)
			}
			oneLine(t, err, append(test.wants, "scripts/prerequisites.sh")...)
			if strings.Contains(err.Error(), "first line") {
				t.Errorf("error %q has more of the engine's output than its last line", err)
			}
		})
	}
}

func TestDetectWithBrokenSettingsOfPodman(t *testing.T) {
	f := newFakes(t)
	f.engine("podman", runFails)
	userConf(t, map[string]string{"containers.conf": "[containers\n"})
	_, err := Detect(t.Context(), search(t, "podman"))
	oneLine(t, err, "exit status 126", "could not be adapted", "containers/containers.conf")
}

func TestDetectRefusesAnUnknownProvider(t *testing.T) {
	newFakes(t)
	_, err := Detect(t.Context(), search(t, "lxc"))
	oneLine(t, err, `"lxc"`, "docker, podman, nerdctl")
}

func TestDetectKeepsTheUsersOwnContainersConf(t *testing.T) {
	f := newFakes(t)
	f.engine("podman", runFails)
	t.Setenv("CONTAINERS_CONF", "/somewhere/containers.conf")
	s := search(t, "podman")
	if _, err := Detect(t.Context(), s); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(s.ContainersConf); !os.IsNotExist(err) {
		t.Errorf("a containers.conf was written although the user has one: %v", err)
	}
}

func TestDetectEndsWithItsContext(t *testing.T) {
	f := newFakes(t)
	f.engine("docker", "exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Detect(ctx, search(t, "")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestProbeIsLoadedWhenTheEngineLacksIt(t *testing.T) {
	f := newFakes(t)
	f.engine("docker", `case "$1" in
image) [ -e "$FAKE/image" ];;
load) cat > "$FAKE/image";;
run) [ -e "$FAKE/image" ] && echo '{"mount":true}';;
esac`)
	if _, err := Detect(t.Context(), search(t, "docker")); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.file("docker", "image"))
	if err != nil || string(data) != "archive" {
		t.Errorf("the engine was given %q, %v", data, err)
	}
	if !f.called("docker", "run --rm --privileged") {
		t.Errorf("calls %q: the probe left a container or was not privileged", f.calls("docker"))
	}
}

func TestEnsureImage(t *testing.T) {
	t.Run("a writer that fails", func(t *testing.T) {
		f := newFakes(t)
		f.engine("docker", `case "$1" in image) exit 1;; load) cat > /dev/null;; esac`)
		failure := errors.New("layer is gone")
		_, err := (&Engine{Name: "docker"}).EnsureImage(t.Context(), "localhost/a:1", func(io.Writer) error { return failure })
		if !errors.Is(err, failure) {
			t.Errorf("error %v, want %v", err, failure)
		}
	})
	t.Run("an engine that stops reading", func(t *testing.T) {
		f := newFakes(t)
		f.engine("docker", `case "$1" in image) exit 1;; load) echo 'no space left on device' >&2; exit 1;; esac`)
		_, err := (&Engine{Name: "docker"}).EnsureImage(t.Context(), "localhost/a:1", func(out io.Writer) error {
			_, err := out.Write(make([]byte, 1<<20))
			return err
		})
		oneLine(t, err, "loading image localhost/a:1 into docker", "no space left on device")
	})
	t.Run("it is there", func(t *testing.T) {
		f := newFakes(t)
		f.engine("docker", `exit 0`)
		loaded, err := (&Engine{Name: "docker"}).EnsureImage(t.Context(), "localhost/a:1", nil)
		if loaded || err != nil || f.called("docker", "load") {
			t.Errorf("loaded %t, %v", loaded, err)
		}
	})
}

func TestRemoveImagesTakesOnlyItsOwn(t *testing.T) {
	f := newFakes(t)
	f.engine("podman", `case "$1" in
ps) echo localhost/operator-tracing/running:1;;
images) printf 'localhost/operator-tracing/node:1\nlocalhost/mine:1\n<none>:<none>\nlocalhost/operator-tracing/used:2\nlocalhost/operator-tracing/running:1\n';;
rmi) case "$2" in *used*) echo 'image is in use by a container' >&2; exit 2;; esac;;
esac`)
	err := (&Engine{Name: "podman"}).RemoveImages(t.Context(), "localhost/operator-tracing/")
	oneLine(t, err, "running podman rmi", "in use by a container")
	if f.called("podman", "rmi localhost/mine") || f.called("podman", "rmi localhost/operator-tracing/running:1") || !f.called("podman", "rmi localhost/operator-tracing/node:1") {
		t.Errorf("calls %q", f.calls("podman"))
	}
}

func TestRunNamesATimeout(t *testing.T) {
	f := newFakes(t)
	f.engine("docker", "exec sleep 60")
	_, err := (&Engine{Name: "docker"}).run(t.Context(), 50_000_000, nil, "ps", "--all")
	oneLine(t, err, "running docker ps: no answer within 50ms")
}
