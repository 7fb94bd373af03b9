package provider

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	otlpPrefix   = "OTEL_EXPORTER_OTLP_"
	tracesPrefix = otlpPrefix + "TRACES_"
)

// checkOTLP checks the variables of the OTLP exporter.
func (v *variables) checkOTLP() {
	v.otlp("PROTOCOL", protocol, "grpc")
	overGRPC := v.overGRPC()
	address := "http://localhost:4318"
	if overGRPC {
		address = "localhost:4317"
	}
	v.otlp("ENDPOINT", endpoint(overGRPC), address)
	v.otlp("HEADERS", headers(overGRPC), "no headers")
	v.otlp("TIMEOUT", integer(0, maxMilliseconds), "10000")
	v.otlp("COMPRESSION", oneOf("gzip", "none"), "none")
	v.otlp("INSECURE", oneOf("true", "false"), "the scheme of the endpoint")
	v.otlp("CERTIFICATE", certificates, "the certificates of the system")
	v.clientCertificate(otlpPrefix)
	v.clientCertificate(tracesPrefix)
	if !overGRPC && v.insecure() {
		v.hideTLS()
	}
}

// otlp checks a variable for all signals and its variant for traces, which has precedence. A
// malformed variable counts as unset, so the other is used.
func (v *variables) otlp(suffix string, parse parser, fallback string) {
	names := []string{tracesPrefix + suffix, otlpPrefix + suffix}
	for i, name := range names {
		using, other := fallback, names[1-i]
		if value := v.written[other]; value != "" && parse(value).value != "" {
			using = other
		}
		v.check(name, parse, using)
	}
}

// overGRPC reports whether OTLP uses gRPC, which is the default. The default of autoexport is
// http/protobuf; in a cluster, collectors usually listen for gRPC.
func (v *variables) overGRPC() bool {
	for _, name := range []string{tracesPrefix + "PROTOCOL", otlpPrefix + "PROTOCOL"} {
		if value := v.get(name); value != "" {
			return value == "grpc"
		}
	}
	return true
}

// insecure reports whether the exporter does not use TLS. As in the SDK, the last of these
// variables decides.
func (v *variables) insecure() bool {
	insecure := false
	for _, prefix := range []string{otlpPrefix, tracesPrefix} {
		if value := v.get(prefix + "ENDPOINT"); value != "" {
			insecure = strings.HasPrefix(strings.ToLower(value), "http:")
		}
	}
	for _, prefix := range []string{otlpPrefix, tracesPrefix} {
		if value := v.get(prefix + "INSECURE"); value != "" {
			insecure = value == "true"
		}
	}
	return insecure
}

// hideTLS ignores certificates for an endpoint without TLS, with which the HTTP exporter can't be
// created.
func (v *variables) hideTLS() {
	for _, prefix := range []string{otlpPrefix, tracesPrefix} {
		for _, suffix := range []string{"CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"} {
			if name := prefix + suffix; v.get(name) != "" {
				v.corrected[name] = ""
				v.report(name, "the endpoint does not use TLS; want an https:// endpoint", "no TLS")
			}
		}
	}
}

// clientCertificate checks the files of a client certificate and its key. Each is useless without
// the other.
func (v *variables) clientCertificate(prefix string) {
	certName, keyName := prefix+"CLIENT_CERTIFICATE", prefix+"CLIENT_KEY"
	certPath, keyPath := v.get(certName), v.get(keyName)
	if certPath == "" && keyPath == "" {
		return
	}
	failed := func(name, reason string) {
		v.corrected[certName], v.corrected[keyName] = "", ""
		v.report(name, reason, "no client certificate of "+prefix+"*")
	}
	if certPath == "" {
		failed(keyName, certName+" is not set")
		return
	}
	if keyPath == "" {
		failed(certName, keyName+" is not set")
		return
	}
	cert, certErr := os.ReadFile(certPath)
	if certErr != nil {
		failed(certName, fileReason(certErr))
	}
	key, keyErr := os.ReadFile(keyPath)
	if keyErr != nil {
		failed(keyName, fileReason(keyErr))
	}
	if certErr != nil || keyErr != nil {
		return
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		failed(certName, "the file is not the certificate of the key in "+keyName+": "+err.Error())
	}
}

// certificates accepts a file of PEM certificates.
func certificates(path string) reading {
	content, err := os.ReadFile(path)
	if err != nil {
		return reading{reason: fileReason(err)}
	}
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return reading{reason: "the file has no PEM certificate"}
	}
	return reading{value: path}
}

// fileReason leaves out the path: it is the variable's value, which may be a secret.
func fileReason(err error) string {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	return "reading the file: " + err.Error()
}

// protocol takes unsupported forms of HTTP for http/protobuf, which uses the same port.
func protocol(value string) reading {
	value = strings.ToLower(value)
	r := reading{value: value}
	if value != "grpc" && value != "http/protobuf" {
		r = reading{reason: "unsupported protocol; want grpc or http/protobuf"}
		if strings.HasPrefix(value, "http") {
			r.value = "http/protobuf"
		}
	}
	return r
}

var (
	hostPort    = regexp.MustCompile(`^([\w.-]+|\[[[:xdigit:]:.]+\]):(\d+)$`)
	hostName    = regexp.MustCompile(`^[\w.-]+$`)
	grpcSchemes = []string{"unix", "unix-abstract", "dns", "passthrough", "xds"}
)

// endpoint accepts http and https URLs and, for gRPC, other targets. Without a scheme the SDK uses
// TLS, so a host and a port that the SDK can't parse become an https URL.
func endpoint(overGRPC bool) parser {
	return func(value string) reading {
		u, err := url.Parse(value)
		address := hostPort.FindStringSubmatch(value)
		isAddress := len(address) > 2 && validPort(address[2])
		switch {
		case err == nil && (u.Scheme == "http" || u.Scheme == "https"):
			if u.Host != "" && (u.Port() == "" || validPort(u.Port())) {
				return reading{value: value}
			}
		case err == nil && overGRPC && slices.Contains(grpcSchemes, u.Scheme) && u.Host+u.Path+u.Opaque != "",
			err == nil && overGRPC && (isAddress || hostName.MatchString(value)):
			return reading{value: value}
		case isAddress:
			return reading{value: "https://" + value, reason: "no scheme; want a URL such as http://collector:4317"}
		}
		return reading{reason: "want a URL such as http://collector:4317"}
	}
}

func validPort(port string) bool {
	_, err := strconv.ParseUint(port, 10, 16)
	return err == nil
}

// headers keeps the well-formed headers. With a header that HTTP/1 or gRPC does not accept, every
// export fails.
func headers(overGRPC bool) parser {
	return func(value string) reading {
		pairs := strings.Split(value, ",")
		var kept []string
		var bad []int
		for i, pair := range pairs {
			name, encoded, found := strings.Cut(pair, "=")
			decoded, err := url.PathUnescape(encoded)
			if !found || err != nil || !validHeader(strings.TrimSpace(name), strings.TrimSpace(decoded), overGRPC) {
				bad = append(bad, i+1)
				continue
			}
			kept = append(kept, pair)
		}
		r := reading{value: strings.Join(kept, ",")}
		if len(bad) > 0 {
			r.reason = entries(bad, len(pairs)) + "; want name=value, percent-encoded"
			if len(kept) > 0 {
				r.using = "the other headers"
			}
		}
		return r
	}
}

func validHeader(name, value string, overGRPC bool) bool {
	special := "!#$%&'*+-.^_`|~"
	if overGRPC {
		special = "-_."
	}
	for _, r := range name {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && !strings.ContainsRune(special, r) {
			return false
		}
	}
	for i := range len(value) {
		if b := value[i]; b < ' ' || b == 0x7f || overGRPC && b > 0x7f {
			return false
		}
	}
	return name != ""
}
