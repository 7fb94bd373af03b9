//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// upstream starts a resolver on one port, over UDP and TCP, and returns its address. It answers
// every query with "re:" and the query.
func upstream(t *testing.T) string {
	t.Helper()
	packets, streams := listenBoth(t)
	t.Cleanup(func() { closeAll(t, packets, streams) })
	go func() {
		for {
			query := make([]byte, dnsPacket)
			n, client, err := packets.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = packets.WriteTo(append([]byte("re:"), query[:n]...), client)
		}
	}()
	go func() {
		for {
			client, err := streams.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				query := make([]byte, dnsPacket)
				for {
					n, err := client.Read(query)
					if err != nil {
						return
					}
					if _, err := client.Write(append([]byte("re:"), query[:n]...)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return packets.LocalAddr().String()
}

func listenUDP(t *testing.T, address string) (net.PacketConn, error) {
	return (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", address)
}

func closeAll(t *testing.T, connections ...io.Closer) {
	t.Helper()
	for _, c := range connections {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

// listenBoth listens on a free port over UDP and TCP.
func listenBoth(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 100 {
		packets, err := listenUDP(t, "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		streams, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", packets.LocalAddr().String())
		if err == nil {
			return packets, streams
		}
		closeAll(t, packets)
	}
	t.Fatal("found no port that is free over UDP and TCP")
	return nil, nil
}

// relay starts a relay to upstream and returns its address. The relay stops when ctx is cancelled.
func relay(t *testing.T, ctx context.Context, upstream string) string {
	t.Helper()
	packets, streams := listenBoth(t)
	address := packets.LocalAddr().String()
	closeAll(t, packets, streams)
	if err := relayDNS(ctx, address, upstream); err != nil {
		t.Fatal(err)
	}
	return address
}

func dial(t *testing.T, network, address string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeAll(t, conn) })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestRelayDNSOverUDP(t *testing.T) {
	address := relay(t, t.Context(), upstream(t))
	var all sync.WaitGroup
	for _, query := range []string{"a", "another", strings.Repeat("more than the 512 bytes of old DNS. ", 100)} {
		conn := dial(t, "udp", address)
		all.Go(func() {
			if _, err := conn.Write([]byte(query)); err != nil {
				t.Error(err)
				return
			}
			answer := make([]byte, dnsPacket)
			n, err := conn.Read(answer)
			if err != nil || string(answer[:n]) != "re:"+query {
				t.Errorf("answer to a query of %d bytes: got %d bytes, %v, want re: and the query", len(query), n, err)
			}
		})
	}
	all.Wait()
}

func TestRelayDNSOverTCP(t *testing.T) {
	conn := dial(t, "tcp", relay(t, t.Context(), upstream(t)))
	for _, query := range []string{"one", "two on the same connection"} {
		if _, err := io.WriteString(conn, query); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, len("re:")+len(query))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "re:"+query {
			t.Errorf("answer to %q = %q, %v", query, answer, err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Errorf("data after the last answer = %q, %v, want none", rest, err)
	}
}

func TestRelayDNSWithoutUpstreamClosesTheConnection(t *testing.T) {
	packets, streams := listenBoth(t)
	closeAll(t, packets, streams)
	conn := dial(t, "tcp", relay(t, t.Context(), streams.Addr().String()))
	if answer, err := io.ReadAll(conn); len(answer) > 0 || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("answer = %q, %v, want a closed connection", answer, err)
	}
}

func TestRelayDNSStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := relay(t, ctx, upstream(t))
	if err := relayDNS(ctx, address, "127.0.0.1:1"); err == nil || !strings.Contains(err.Error(), "listening for DNS on "+address) {
		t.Errorf("second relayDNS on %s: got error %v", address, err)
	}
	cancel()
	released := within10s(func() bool {
		packets, err := listenUDP(t, address)
		if err != nil {
			return false
		}
		closeAll(t, packets)
		streams, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			return false
		}
		return streams.Close() == nil
	})
	if !released {
		t.Error("the relay still listens after the context was cancelled")
	}
}

func TestLoopbackNameserver(t *testing.T) {
	for config, want := range map[string]string{
		"nameserver 127.0.0.11\nsearch example.test\n":            "127.0.0.11",
		"# comment\nnameserver 10.0.0.1\nnameserver 127.0.0.53\n": "127.0.0.53",
		"nameserver ::1\n":       "::1",
		"nameserver\t127.0.0.11": "127.0.0.11",
		"nameserver 10.89.0.1\n": "",
		"#nameserver 127.0.0.11\nsearch 127.0.0.1\nnameserver\n": "",
		"nameserver localhost\n":                                 "",
		"":                                                       "",
	} {
		if got := loopbackNameserver(config); got != want {
			t.Errorf("loopbackNameserver(%q) = %q, want %q", config, got, want)
		}
	}
}

func FuzzLoopbackNameserver(f *testing.F) {
	f.Add("nameserver 127.0.0.11\noptions ndots:0\n")
	f.Fuzz(func(t *testing.T, config string) {
		found := loopbackNameserver(config)
		if found == "" {
			return
		}
		if ip := net.ParseIP(found); ip == nil || !ip.IsLoopback() || !bytes.Contains([]byte(config), []byte(found)) {
			t.Errorf("loopbackNameserver(%q) = %q, want a loopback address of the input", config, found)
		}
	})
}
