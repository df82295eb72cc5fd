//go:build linux

package livetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"orrery/cmd/internal/api"
	"orrery/cmd/internal/live"
	"orrery/proto/orrerypb"
)

// refuses starts an agent that must refuse to begin, and returns what it said.
func refuses(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"agent"}, args...)...)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() <= 0 {
		t.Fatalf("agent %v: %v, want that it refuses\n%s", args, err, out)
	}
	if text := string(out); strings.Contains(text, "goroutine ") {
		t.Errorf("agent %v panicked:\n%s", args, text)
	}
	return string(out)
}

func wants(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("it says %q, want %q in it", text, w)
		}
	}
}

// TestAgentsThatRefuseToBegin says why, and what would have been accepted.
func TestAgentsThatRefuseToBegin(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 1, Direct: true})
	m := c.up()
	program := build(t).Agent
	key := "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
	elsewhere := []string{"--bind-addr", c.FreeAddress(1) + ":8946", "--http-addr", c.FreeAddress(1) + ":8080"}
	with := func(args ...string) []string { return append(args, elsewhere...) }

	t.Run("data directory in use", func(t *testing.T) {
		text := refuses(t, program, with("--server", "--node-name", "m1", "--encrypt", key, "--data-dir", m.DataDir())...)
		wants(t, text, m.DataDir(), fmt.Sprint(m.PID()))
	})
	t.Run("ports taken", func(t *testing.T) {
		for _, port := range []struct{ flag, address string }{{"--http-addr", m.Address() + ":8080"}, {"--bind-addr", m.Address() + ":8946"}} {
			args := append(with("--server", "--bootstrap-expect", "1", "--node-name", "x", "--encrypt", key, "--data-dir", t.TempDir()), port.flag, port.address)
			wants(t, refuses(t, program, args...), port.address)
		}
	})
	t.Run("unknown key", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "orrery.yml")
		if err := os.WriteFile(file, []byte("server: true\nboostrap-expect: 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		wants(t, refuses(t, program, "--config", file), "orrery.yml:2", "boostrap-expect", "bootstrap-expect")
	})
	t.Run("no secret", func(t *testing.T) {
		wants(t, refuses(t, program, with("--server", "--data-dir", t.TempDir())...), "encrypt", "keygen")
	})
	t.Run("corrupt records", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "member.db"), bytes.Repeat([]byte("garbage "), 10_000), 0o600); err != nil {
			t.Fatal(err)
		}
		wants(t, refuses(t, program, with("--node-name", "x", "--encrypt", key, "--data-dir", dir)...), "member.db")
	})
	t.Run("corrupt log", func(t *testing.T) {
		m.Kill()
		meta, err := filepath.Glob(filepath.Join(m.DataDir(), "raft", "log", "wal-meta.db"))
		if err != nil || len(meta) != 1 {
			t.Fatalf("the log is in %v (%v)", meta, err)
		}
		whole, err := os.ReadFile(meta[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(meta[0], bytes.Repeat([]byte("garbage "), 4096), 0o600); err != nil {
			t.Fatal(err)
		}
		text := refuses(t, program, "--config", filepath.Join(m.Dir, "orrery.json"))
		wants(t, text, filepath.Join(m.DataDir(), "raft"))
		if err := os.WriteFile(meta[0], whole, 0o600); err != nil {
			t.Fatal(err)
		}
		c.up() // nothing was made worse
	})
}

// TestGarbageChangesNothing feeds a member with what no member and no client sends.
func TestGarbageChangesNothing(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 1, Direct: true, Settings: map[string]any{
		"api-token": []string{"tester:admin:" + sha256Hex("right")},
	}})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	m := c.Members()[0]
	token := func(word string) http.Header { return http.Header{"Authorization": {"Bearer " + word}} }
	ask := func(header http.Header, method, path string, body, answer any) error {
		_, err := m.CallWith(t.Context(), method, path, header, body, answer)
		return err
	}
	c.eventually("a leader", func() error { return ask(token("right"), "GET", "/v1/leader", nil, nil) })
	job := api.Job{Name: "kept", Schedule: "@manually", Executor: "shell", ExecutorConfig: c.command()}
	c.eventually("a job", func() error { return ask(token("right"), "POST", "/v1/jobs", job, nil) })
	alive := func(t *testing.T) {
		t.Helper()
		if err := m.Died(); err != nil {
			t.Fatal(err)
		}
		var got api.Job
		if err := ask(token("right"), "GET", "/v1/jobs/kept?consistent=true", nil, &got); err != nil || got.Version != 1 {
			t.Errorf("afterwards the job is %+v (%v)", got, err)
		}
	}
	status := func(t *testing.T, err error, want int, words ...string) {
		t.Helper()
		var is live.StatusError
		if !errors.As(err, &is) || is.Status != want {
			t.Errorf("the answer is %v, want %d", err, want)
		}
		wants(t, is.Text, words...)
	}

	t.Run("tokens", func(t *testing.T) {
		status(t, ask(nil, "GET", "/v1/jobs", nil, nil), 401)
		status(t, ask(token("wrong"), "POST", "/v1/jobs", job, nil), 401)
		alive(t)
	})
	t.Run("ports", func(t *testing.T) {
		noise := make([]byte, 64<<10)
		rand.Read(noise)
		for _, port := range []string{"8946", "6868", "8080"} {
			for _, text := range [][]byte{noise, []byte("GET / HTTP/1.1\r\n\r\n"), []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + strings.Repeat("\xff", 100)), {0}} {
				conn, err := net.Dial("tcp", net.JoinHostPort(m.Address(), port))
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(patience))
				conn.Write(text)
				conn.(*net.TCPConn).CloseWrite()
				if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), "reset") {
					t.Errorf("port %s keeps a stranger: %v", port, err)
				}
				conn.Close()
			}
		}
		packets, err := net.Dial("udp", net.JoinHostPort(m.Address(), "8946"))
		if err != nil {
			t.Fatal(err)
		}
		defer packets.Close()
		for i := range 100 {
			packets.Write(noise[i*10 : i*10+1+i*10])
		}
		alive(t)
	})
	t.Run("a gigabyte", func(t *testing.T) {
		endless := io.LimitReader(zeros{}, 1<<30)
		r, err := http.NewRequestWithContext(t.Context(), "POST", m.URL()+"/v1/jobs", endless)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = token("right")
		response, err := http.DefaultClient.Do(r)
		if err == nil { // else it was cut off in the midst
			defer response.Body.Close()
			if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("a gigabyte was answered %d %.200s, want 413", response.StatusCode, text)
			}
		}
		alive(t)
	})
	t.Run("bodies", func(t *testing.T) {
		status(t, ask(token("right"), "POST", "/v1/jobs", "no job", nil), 400, "Unable to parse payload")
		bad := job
		bad.Executor = "telepathy"
		status(t, ask(token("right"), "POST", "/v1/jobs", bad, nil), 400, "telepathy", "shell")
		bad = job
		bad.Schedule = "0 0 30 2 *"
		status(t, ask(token("right"), "POST", "/v1/jobs", bad, nil), 400, "0 0 30 2 *")
		alive(t)
	})
	t.Run("snapshots", func(t *testing.T) {
		snapshot := read(t, m, token("right"))
		for name, damaged := range map[string][]byte{
			"garbage": []byte("no snapshot"), "empty": {}, "torn": snapshot[:len(snapshot)/2], "newer": newer(snapshot),
		} {
			err := post(t, m, token("right"), damaged)
			var is live.StatusError
			if !errors.As(err, &is) || is.Status/100 != 4 {
				t.Errorf("a snapshot that is %s was answered %v, want 4xx", name, err)
			}
			if name == "newer" {
				wants(t, is.Text, "format 99")
			}
			alive(t)
		}
	})
}

// TestStrangersStayOut has an agent with another key try to join.
func TestStrangersStayOut(t *testing.T) {
	c := newCluster(t, live.Options{Servers: 1, Agents: 1, Direct: true, Own: map[string]map[string]any{
		"m2": {"encrypt": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
	}})
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	m := c.Members()[0]
	c.eventually("a leader", func() error { return led(t, m) })
	c.eventually("the stranger tries", func() error {
		text, err := os.ReadFile(m.LogFile())
		if err == nil && !strings.Contains(string(text), c.Members()[1].Address()) && !strings.Contains(strings.ToLower(string(text)), "decrypt") {
			err = errors.New("nothing of it in the log")
		}
		return err
	})
	var members []api.Member
	if err := m.Call(t.Context(), "GET", "/v1/members", nil, &members); err != nil || len(members) != 1 {
		t.Errorf("the members are %+v (%v), want one", members, err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func sha256Hex(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// read takes a snapshot.
func read(t *testing.T, m *live.Member, header http.Header) []byte {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", m.URL()+"/v1/snapshot", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("a snapshot: %d (%v) %.200s", response.StatusCode, err, text)
	}
	return text
}

// post restores one; the error is what the member says.
func post(t *testing.T, m *live.Member, header http.Header, snapshot []byte) error {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", m.URL()+"/v1/snapshot", bytes.NewReader(snapshot))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, _ := io.ReadAll(response.Body)
	if response.StatusCode/100 != 2 {
		return live.StatusError{Status: response.StatusCode, Text: string(text)}
	}
	return nil
}

// newer is a snapshot in a format that nobody knows yet.
func newer(snapshot []byte) []byte {
	length, n := binary.Uvarint(snapshot)
	end := n + 1 + int(length)
	header := new(orrerypb.SnapshotHeader)
	if err := proto.Unmarshal(snapshot[n+1:end], header); err != nil {
		panic(err)
	}
	header.Format = 99
	body, err := proto.Marshal(header)
	if err != nil {
		panic(err)
	}
	frame := binary.AppendUvarint(nil, uint64(len(body)))
	frame = append(append(frame, snapshot[n]), body...)
	frame = binary.LittleEndian.AppendUint32(frame, crc32.Checksum(frame, crc32.MakeTable(crc32.Castagnoli)))
	return append(frame, snapshot[end+crc32.Size:]...)
}
