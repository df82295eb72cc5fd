//go:build linux

package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// StatusError is an answer of the API that is not one of success.
type StatusError struct {
	Status int
	Text   string
}

func (e StatusError) Error() string { return fmt.Sprintf("%d: %s", e.Status, e.Text) }

// Call asks the member's API. body is sent as JSON unless it is nil, and the answer is
// read into answer unless that is nil. An answer that is none of success is a
// [StatusError]; any other error says that nothing is known of what came of it.
func (m *Member) Call(ctx context.Context, method, path string, body, answer any) error {
	_, err := m.CallWith(ctx, method, path, nil, body, answer)
	return err
}

// CallWith is Call with headers, and returns those of the answer.
func (m *Member) CallWith(ctx context.Context, method, path string, header http.Header, body, answer any) (http.Header, error) {
	var sent []byte
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent, header = text, header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Content-Type", "application/json")
	}
	status, answered, text, err := m.Exchange(ctx, method, path, header, sent)
	if err != nil {
		return answered, err
	}
	if status/100 != 2 {
		return answered, StatusError{status, strings.TrimSpace(string(text))}
	}
	if answer == nil {
		return answered, nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return answered, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answered, nil
}

// Exchange sends a request to the member's API as it is, and returns what was answered. An
// error says that nothing is known of what came of it.
func (m *Member) Exchange(ctx context.Context, method, path string, header http.Header, body []byte) (status int, answered http.Header, text []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, method, m.URL()+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	response, err := m.cluster.client.Do(r)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	return response.StatusCode, response.Header, text, err
}

// LeaderSeen is whom the member calls the leader; "": nobody.
func (m *Member) LeaderSeen(ctx context.Context) (string, error) {
	var leader struct{ Name string }
	err := m.Call(ctx, "GET", "/v1/leader", nil, &leader)
	if errors.As(err, new(StatusError)) {
		return "", nil
	}
	return leader.Name, err
}

// Leads reports whether the member says that it leads.
func (m *Member) Leads(ctx context.Context) (bool, error) {
	err := m.Call(ctx, "GET", "/v1/isleader", nil, nil)
	if errors.As(err, new(StatusError)) {
		return false, nil
	}
	return err == nil, err
}

// Applied is the index of the log up to which the server's state reaches.
func (m *Member) Applied(ctx context.Context) (uint64, error) {
	header, err := m.CallWith(ctx, "GET", "/v1/jobs?_start=0&_end=1", nil, nil, nil)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(header.Get("X-Orrery-Index"), 10, 64)
}

// Snapshot is the server's state, as a backup has it.
func (m *Member) Snapshot(ctx context.Context) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, "GET", m.URL()+"/v1/snapshot", nil)
	if err != nil {
		return nil, err
	}
	response, err := m.cluster.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = StatusError{response.StatusCode, strings.TrimSpace(string(text))}
	}
	return text, err
}
