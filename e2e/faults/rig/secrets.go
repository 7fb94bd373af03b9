package rig

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// looks matches texts that look like keys and tokens of any owner.
var looks = regexp.MustCompile(`PRIVATE KEY|LS0tLS1CRUdJTiBF|LS0tLS1CRUdJTiBSU0EgUF|eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+`)

// WantNoSecrets fails the test if a file below dir has a value of a Secret of the running cluster,
// a key or token of the sandbox's folder, or a text that looks like one. more has other forbidden
// words. It also fails if there are no secrets to search for.
func (s *Sandbox) WantNoSecrets(dir string, more ...string) {
	s.T.Helper()
	secrets := s.clusterSecrets()
	for name, value := range s.folderSecrets() {
		secrets[name] = value
	}
	const fewest = 3
	if len(secrets) < fewest {
		s.T.Fatalf("the test found only %d secrets to search for", len(secrets))
	}
	for _, word := range more {
		secrets[word] = word
	}
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		data, err := os.ReadFile(path)
		text := string(data)
		for name, value := range secrets {
			for _, form := range []string{value, base64.StdEncoding.EncodeToString([]byte(value))} {
				if strings.Contains(text, form) {
					s.T.Errorf("%s has the secret %s", path, name)
				}
			}
		}
		if found := looks.FindString(text); found != "" {
			s.T.Errorf("%s has a text that looks like a secret: %.20s…", path, found)
		}
		return err
	})
	if err != nil || files == 0 {
		s.T.Fatalf("reading the %d files below %s: %v", files, dir, err)
	}
}

// clusterSecrets returns the values of the cluster's Secrets, except certificates.
func (s *Sandbox) clusterSecrets() map[string]string {
	s.T.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.Dir, "kubeconfig"))
	if err != nil {
		s.T.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		s.T.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(s.T.Context(), AskLimit)
	defer cancel()
	list, err := client.CoreV1().Secrets(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		s.T.Fatalf("listing Secrets: %v", err)
	}
	found := map[string]string{}
	for _, secret := range list.Items {
		for key, value := range secret.Data {
			if key != corev1.TLSCertKey && key != "ca.crt" && len(value) > 7 {
				found[secret.Namespace+"/"+secret.Name+" "+key] = string(value)
			}
		}
	}
	return found
}

// folderSecrets returns the keys and tokens in the sandbox's folder, also from its kubeconfig.
func (s *Sandbox) folderSecrets() map[string]string {
	s.T.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(s.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || strings.HasPrefix(path, filepath.Join(s.Dir, "etcd")) {
			return err
		}
		data, err := os.ReadFile(path)
		switch block, _ := pem.Decode(data); {
		case block != nil && strings.HasSuffix(block.Type, "PRIVATE KEY"), filepath.Base(path) == "token":
			found[path] = strings.TrimSpace(string(data))
		case filepath.Base(path) == "kubeconfig":
			config, loadErr := clientcmd.Load(data)
			if loadErr != nil {
				return loadErr
			}
			for name, user := range config.AuthInfos {
				for what, value := range map[string]string{"key": string(user.ClientKeyData), "token": user.Token, "password": user.Password} {
					if value != "" {
						found[path+" "+name+" "+what] = value
					}
				}
			}
		}
		return err
	})
	if err != nil {
		s.T.Fatalf("looking for keys below %s: %v", s.Dir, err)
	}
	return found
}

// WantExport exports the sandbox, fails the test unless each of the files exists with the words,
// and returns the folder.
func (s *Sandbox) WantExport(words map[string]string) string {
	s.T.Helper()
	dir := filepath.Join(s.T.TempDir(), "export")
	out, err := s.Run(s.T.Context(), 3*AskLimit, "export", dir)
	if err != nil {
		s.T.Fatalf("export: %v\n%s", err, out)
	}
	s.wantFiles(dir, words)
	return dir
}

func (s *Sandbox) wantFiles(dir string, words map[string]string) {
	s.T.Helper()
	for file, word := range words {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(data), word) {
			s.T.Errorf("%s without %q: %v\n%.2000s", file, word, err, data)
		}
	}
}

// WantDiagnostics fails the test unless the output of a command has one line with the folder of
// diagnostics, and each of the files there has the words. It returns the folder.
func (s *Sandbox) WantDiagnostics(printed string, words map[string]string) string {
	s.T.Helper()
	_, rest, found := strings.Cut(printed, "Diagnostics are in ")
	dir, _, _ := strings.Cut(rest, " (")
	if !found || strings.Count(printed, "Diagnostics are in ") != 1 || filepath.Dir(dir) != filepath.Join(s.Dir, "diagnostics") {
		s.T.Fatalf("want one line with the folder of diagnostics:\n%s", printed)
	}
	s.wantFiles(dir, words)
	return dir
}
