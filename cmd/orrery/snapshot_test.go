package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orrery"
	"orrery/proto"
	"orrery/proto/orrerypb"
	"orrery/store"
)

// snapshotOf is a snapshot of a state with that many jobs.
func snapshotOf(t *testing.T, jobs int) []byte {
	t.Helper()
	state, err := store.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	for i := range jobs {
		job := orrery.Job{Name: fmt.Sprint("job", i), Schedule: "@manually", Executor: orrery.ExecutorShell}.WithDefaults(orrery.ClusterConfig{})
		put := &orrerypb.Command_PutJob{PutJob: &orrerypb.PutJob{Job: proto.FromJob(job)}}
		answers, _ := state.Apply(uint64(i+5), 3, &orrerypb.Entry{Term: 3, Commands: []*orrerypb.Command{{AtNs: noon.UnixNano(), Body: put}}})
		if answers[0].GetCode() != "" {
			t.Fatal(answers[0].GetText())
		}
	}
	snapshot := state.Snapshot()
	defer snapshot.Close()
	var all []byte
	for last := false; !last; {
		var piece []byte
		piece, last = snapshot.Next(1 << 20)
		all = append(all, piece...)
	}
	return all
}

func TestSnapshots(t *testing.T) {
	snapshot := snapshotOf(t, 2)
	dir := t.TempDir()
	path := filepath.Join(dir, "state.snapshot")
	var restored []byte
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/snapshot", func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(snapshot) })
	mux.HandleFunc("POST /v1/snapshot", func(w http.ResponseWriter, r *http.Request) {
		restored, _ = io.ReadAll(r.Body)
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	t.Setenv("ORRERY_ADDR", server.URL)

	if _, talk, code := run(t, "", "snapshot", "save", path); code != 0 || !strings.Contains(talk, "2 jobs, 0 executions") {
		t.Fatalf("save: exit code %d, %s", code, talk)
	}
	if stdout, _, code := run(t, "", "snapshot", "save", "-"); code != 0 || stdout != string(snapshot) {
		t.Errorf("save to stdout: exit code %d, %d bytes, want %d", code, len(stdout), len(snapshot))
	}
	stdout, talk, code := run(t, "", "snapshot", "inspect", path)
	for _, want := range []string{"INDEX       6\n", "TERM        3\n", "JOBS        2\n", "AT          2027-01-31 12:00:00Z\n", fmt.Sprintf("BYTES       %d\n", len(snapshot))} {
		if !strings.Contains(stdout, want) {
			t.Errorf("inspect: exit code %d, %s; does not say %q:\n%s", code, talk, want, stdout)
		}
	}
	if _, talk, code = run(t, "", "snapshot", "restore", path); code != exitUsage || !strings.Contains(talk, "--force") || restored != nil {
		t.Errorf("restore without --force: exit code %d, %s, %d bytes sent", code, talk, len(restored))
	}
	if _, talk, code = run(t, "", "snapshot", "restore", path, "--force"); code != 0 || len(restored) != len(snapshot) {
		t.Errorf("restore: exit code %d, %s, %d bytes sent, want %d", code, talk, len(restored), len(snapshot))
	}

	snapshot = snapshot[:len(snapshot)-5] // one that broke off
	if _, talk, code = run(t, "", "snapshot", "save", path); code == 0 || !strings.Contains(talk, "what came is no snapshot") {
		t.Errorf("a snapshot that broke off was saved: exit code %d, %s", code, talk)
	}
	if _, _, code = run(t, "", "snapshot", "inspect", path); code != 0 {
		t.Error("the snapshot of before is gone")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
	if err := os.WriteFile(path, []byte("nothing of ours"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, talk, code = run(t, "", "snapshot", "restore", path, "--force"); code != exitUsage || len(restored) == 15 {
		t.Errorf("what is no snapshot: exit code %d, %s", code, talk)
	}
}
