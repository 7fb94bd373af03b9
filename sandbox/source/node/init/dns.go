//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	dnsTimeout = 5 * time.Second
	dnsPacket  = 65535 // the largest UDP payload; with EDNS0, a message can be larger than 512 bytes
)

var dnsDialer = net.Dialer{Timeout: dnsTimeout}

// relayDNS forwards DNS queries from the address listen to upstream, over UDP and TCP, until ctx is
// cancelled. It returns after both listeners have started. It does not inspect the messages.
func relayDNS(ctx context.Context, listen, upstream string) error {
	var config net.ListenConfig
	packets, err := config.ListenPacket(ctx, "udp", listen)
	if err != nil {
		return fmt.Errorf("listening for DNS on %s: %w", listen, err)
	}
	streams, err := config.Listen(ctx, "tcp", listen)
	if err != nil {
		_ = packets.Close() // The error of the second listener is more useful.
		return fmt.Errorf("listening for DNS on %s: %w", listen, err)
	}
	context.AfterFunc(ctx, func() {
		_, _ = packets.Close(), streams.Close() // The errors do not matter, because the node stops.
	})
	go relayPackets(ctx, packets, upstream)
	go relayStreams(ctx, streams, upstream)
	return nil
}

func relayPackets(ctx context.Context, packets net.PacketConn, upstream string) {
	for {
		query := make([]byte, dnsPacket)
		n, client, err := packets.ReadFrom(query)
		if err != nil {
			return // The listener was closed.
		}
		go func() {
			if answer, err := queryUDP(ctx, upstream, query[:n]); err == nil {
				_, _ = packets.WriteTo(answer, client) // UDP may lose an answer; the client then retries.
			}
		}()
	}
}

// queryUDP sends one query to upstream and returns the answer.
func queryUDP(ctx context.Context, upstream string, query []byte) ([]byte, error) {
	conn, err := dnsDialer.DialContext(ctx, "udp", upstream)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(dnsTimeout)); err != nil {
		return nil, err
	}
	if _, err := conn.Write(query); err != nil {
		return nil, err
	}
	answer := make([]byte, dnsPacket)
	n, err := conn.Read(answer)
	return answer[:n], err
}

func relayStreams(ctx context.Context, streams net.Listener, upstream string) {
	for {
		client, err := streams.Accept()
		if err != nil {
			return // The listener was closed.
		}
		go relayStream(ctx, client, upstream)
	}
}

func relayStream(ctx context.Context, client net.Conn, upstream string) {
	defer client.Close()
	server, err := dnsDialer.DialContext(ctx, "tcp", upstream)
	if err != nil {
		return
	}
	defer server.Close()
	deadline := time.Now().Add(2 * dnsTimeout)
	if client.SetDeadline(deadline) != nil || server.SetDeadline(deadline) != nil {
		return
	}
	go func() {
		_, _ = io.Copy(server, client)
		if tcp, ok := server.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	_, _ = io.Copy(client, server)
}
