package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	for _, test := range []struct {
		name             string
		into, from, want m
	}{
		{"empty", m{}, m{"a": m{"b": 1}}, m{"a": m{"b": 1}}},
		{"tables are merged", m{"a": m{"b": 1, "c": 2}}, m{"a": m{"c": 3, "d": 4}}, m{"a": m{"b": 1, "c": 3, "d": 4}}},
		{"nested tables are merged", m{"a": m{"b": m{"x": 1}}}, m{"a": m{"b": m{"y": 2}}}, m{"a": m{"b": m{"x": 1, "y": 2}}}},
		{"lists are replaced", m{"a": []any{1, 2}}, m{"a": []any{3}}, m{"a": []any{3}}},
		{"a table replaces a value", m{"a": 1}, m{"a": m{"b": 2}}, m{"a": m{"b": 2}}},
		{"a value replaces a table", m{"a": m{"b": 2}}, m{"a": 1}, m{"a": 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			merge(test.into, test.from)
			if diff := cmp.Diff(test.want, test.into); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// userConf writes containers settings of the user.
func userConf(t *testing.T, files map[string]string) {
	t.Helper()
	config := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", config)
	for name, content := range files {
		path := filepath.Join(config, "containers", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriteContainersConfKeepsSettingsOfTheUser(t *testing.T) {
	userConf(t, map[string]string{
		"containers.conf":           "[containers]\nhttp_proxy = false\npids_limit = 2048\n[engine]\nruntime = \"crun\"\nnum_locks = 7\n[network]\ndefault_subnet = \"10.1.0.0/16\"\n",
		"containers.conf.d/20.conf": "[network]\ndefault_subnet = \"10.3.0.0/16\"\n",
		"containers.conf.d/10.conf": "[network]\ndefault_subnet = \"10.2.0.0/16\"\n",
	})
	path := filepath.Join(t.TempDir(), "containers.conf")
	settings, err := hostSettings()
	if err != nil {
		t.Fatal(err)
	}
	if err := writeContainersConf(path, settings); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Containers struct {
			HTTPProxy      *bool    `toml:"http_proxy"`
			DefaultUlimits []string `toml:"default_ulimits"`
			PIDsLimit      *int     `toml:"pids_limit"`
		}
		Engine struct {
			Runtime  string
			NumLocks int `toml:"num_locks"`
		}
		Network struct {
			DefaultSubnet string `toml:"default_subnet"`
		}
	}
	if _, err := toml.DecodeFile(path, &got); err != nil {
		t.Fatal(err)
	}
	if got.Containers.HTTPProxy == nil || *got.Containers.HTTPProxy || got.Engine.NumLocks != 7 || got.Network.DefaultSubnet != "10.3.0.0/16" {
		t.Errorf("settings of the user = %+v", got)
	}
	if got.Engine.Runtime != "runc" || len(got.Containers.DefaultUlimits) != 2 || got.Containers.PIDsLimit == nil || *got.Containers.PIDsLimit != 0 {
		t.Errorf("settings of the host = %+v", got)
	}
}

func TestWriteContainersConfReportsABrokenFile(t *testing.T) {
	userConf(t, map[string]string{"containers.conf": "[containers\n"})
	err := writeContainersConf(filepath.Join(t.TempDir(), "containers.conf"), nodeSettings())
	if err == nil || !strings.Contains(err.Error(), "containers/containers.conf") {
		t.Errorf("writeContainersConf: got error %v", err)
	}
}

// An unprivileged process must be able to set the limits: at most its hard limits, and pid_max for
// processes.
func TestHostSettingsFitTheHost(t *testing.T) {
	t.Parallel()
	settings, err := hostSettings()
	if err != nil {
		t.Fatal(err)
	}
	limits := settings["containers"].(map[string]any)["default_ulimits"].([]string)
	for i, name := range []string{"nofile", "nproc"} {
		rest, ok := strings.CutPrefix(limits[i], name+"=")
		soft, hard, _ := strings.Cut(rest, ":")
		value, err := strconv.ParseInt(soft, 10, 64)
		if !ok || soft != hard || err != nil || value == 0 || value < -1 {
			t.Errorf("limit = %q, %v", limits[i], err)
		}
		if name == "nproc" && (value < 0 || uint64(value) > maxPID()) {
			t.Errorf("limit = %q, want at most the largest process id %d", limits[i], maxPID())
		}
	}
}
