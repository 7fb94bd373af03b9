package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/operator-tracing/sandbox/sandbox/input"
)

// Etcd is an etcd server with its JSON gateway, which needs no client library.
type Etcd struct {
	// Client has the certificate of a client.
	Client *http.Client
	// URL is the address of the server: "https://HOST:PORT".
	URL string
}

// Limits of a transaction. By default etcd accepts 128 operations and 1.5 MiB. A larger object is
// written in a request of its own, as the API server wrote it.
const (
	maxOperations = 100
	maxBytes      = 1 << 20
)

// Read returns the objects that belong in a snapshot.
func (e Etcd) Read(ctx context.Context) ([]Entry, error) {
	var all []Entry
	for _, kind := range kinds {
		found, err := e.list(ctx, kind)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// All returns all objects, as they were at one moment.
func (e Etcd) All(ctx context.Context) ([]Entry, error) { return e.list(ctx, "/registry/") }

// list returns the objects below a prefix.
func (e Etcd) list(ctx context.Context, prefix string) ([]Entry, error) {
	end := []byte(prefix)
	end[len(end)-1]++ // The end of a range is the first key after it.
	var found struct {
		KVs []Entry `json:"kvs"`
	}
	err := e.call(ctx, "range", map[string][]byte{"key": []byte(prefix), "range_end": end}, &found)
	return found.KVs, err
}

// Put writes one object with a revision of its own, while the API server may run.
func (e Etcd) Put(ctx context.Context, entry Entry) error {
	return e.call(ctx, "put", entry, &struct{}{})
}

// Delete deletes one object with a revision of its own, while the API server may run.
func (e Etcd) Delete(ctx context.Context, key string) error {
	return e.call(ctx, "deleterange", map[string][]byte{"key": []byte(key)}, &struct{}{})
}

// Write writes objects. The API server must not run yet: it caches what it reads.
func (e Etcd) Write(ctx context.Context, entries []Entry) error {
	type put struct {
		Entry Entry `json:"request_put"`
	}
	var puts []put
	size := 0
	flush := func() error {
		if len(puts) == 0 {
			return nil
		}
		err := e.call(ctx, "txn", map[string][]put{"success": puts}, &struct{}{})
		puts, size = nil, 0
		return err
	}
	for _, entry := range entries {
		length := len(entry.Key) + len(entry.Value)
		if len(puts) == maxOperations || size+length > maxBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		puts, size = append(puts, put{entry}), size+length
	}
	return flush()
}

func (e Etcd) call(ctx context.Context, method string, body, result any) error {
	if err := e.post(ctx, "/v3/kv/"+method, body, result); err != nil {
		return fmt.Errorf("calling %s of etcd: %w", method, err)
	}
	return nil
}

func (e Etcd) post(ctx context.Context, path string, body, result any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.URL+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	response, err := e.Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := input.Read(response.Body, limit)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("got status %s: %.300s", response.Status, answer)
	}
	return json.Unmarshal(answer, result)
}
