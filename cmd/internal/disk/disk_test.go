package disk_test

import (
	"bufio"
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"orrery/cmd/internal/disk"
	"orrery/store"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("ORRERY_DISK_WRITER"); dir != "" {
		writeForEver(dir)
	}
	goleak.VerifyTestMain(slowly{m})
}

// slowly gives goroutines that were told to end the time for it that a busy machine takes.
type slowly struct{ *testing.M }

func (s slowly) Run() int {
	code := s.M.Run()
	for end := time.Now().Add(10 * time.Second); code == 0 && goleak.Find() != nil && time.Now().Before(end); {
	}
	return code
}

const patience = 30 * time.Second

func open(t testing.TB, dir string) *disk.Records {
	t.Helper()
	r, err := disk.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// desk collects answers in their order.
type desk chan store.DiskDone

func (d desk) deliver(msg any) { d <- msg.(store.DiskDone) }

func (d desk) next(t testing.TB) store.DiskDone {
	t.Helper()
	select {
	case m := <-d:
		return m
	case <-time.After(patience):
		t.Fatal("the disk does not answer")
		panic("unreachable")
	}
}

func TestWhatWasAnsweredIsFoundAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	r := open(t, dir)
	answers := make(desk, 100)
	p := r.Port(answers.deliver)
	value := []byte("one")
	p.Put("a", value)
	copy(value, "xxx") // the value was copied
	p.Put("b", []byte("two"))
	p.Put("empty", nil)
	p.Delete("b")
	p.Delete("never there")
	for _, key := range []string{"a", "b", "empty", "b", "never there"} {
		if got, want := answers.next(t), (store.DiskDone{Key: key}); got != want {
			t.Fatalf("answer %+v, want %+v", got, want)
		}
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{"a": []byte("one"), "empty": {}}
	if diff := cmp.Diff(want, open(t, dir).Load()); diff != "" {
		t.Fatal(diff)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Fatalf("the directory has mode %v (%v), want 0700", info.Mode(), err)
	}
}

// Whatever is written, ended and closed, what is found is what was handed over.
func TestRecordsAreThoseHandedOver(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		answers := make(desk, 1000)
		want := map[string][]byte{}
		r := open(t, dir)
		p := r.Port(answers.deliver)
		key := rapid.SampledFrom([]string{"a", "b", "c/d", "\x00", "ü"})
		open := 0
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				k, v := key.Draw(rt, "key"), rapid.SliceOfN(rapid.Byte(), 0, 9000).Draw(rt, "value")
				p.Put(k, v)
				want[k] = append([]byte{}, v...)
				open++
			},
			"delete": func(rt *rapid.T) {
				k := key.Draw(rt, "key")
				p.Delete(k)
				delete(want, k)
				open++
			},
			"reopen": func(rt *rapid.T) {
				if err := r.Close(); err != nil {
					rt.Fatal(err)
				}
				for ; open > 0; open-- {
					if m := answers.next(t); m.Err != "" {
						rt.Fatalf("%+v", m)
					}
				}
				if r, err = disk.Open(dir); err != nil {
					rt.Fatal(err)
				}
				if diff := cmp.Diff(want, maps.Clone(r.Load())); diff != "" {
					rt.Fatal(diff)
				}
				p = r.Port(answers.deliver)
			},
		})
		if err := r.Close(); err != nil {
			rt.Fatal(err)
		}
	})
}

func TestARecordThatCannotBeWrittenHarmsNoOther(t *testing.T) {
	r := open(t, t.TempDir())
	answers := make(desk, 10)
	p := r.Port(answers.deliver)
	p.Put("good", []byte("1"))
	p.Put("", []byte("no key"))
	p.Put(strings.Repeat("k", 40_000), nil)
	p.Put("good too", []byte("2"))
	for i, wrong := range []bool{false, true, true, false} {
		if m := answers.next(t); (m.Err != "") != wrong {
			t.Errorf("answer %d: error %q", i, m.Err)
		}
	}
}

// Beyond the bound the answer is an error, in its turn, and the records before and after
// are written.
func TestQueueIsBounded(t *testing.T) {
	r := open(t, t.TempDir())
	const bytes, puts = 1 << 20, 200 // more than may wait
	answers := make(chan store.DiskDone, puts+1)
	first := make(chan struct{})
	blocked := false
	p := r.Port(func(msg any) {
		if !blocked { // holds the writer until all is handed over
			blocked = true
			<-first
		}
		answers <- msg.(store.DiskDone)
	})
	p.Put("first", nil)
	for i := range puts {
		p.Put(strconv.Itoa(i), make([]byte, bytes))
	}
	close(first)
	refused := 0
	for i := -1; i < puts; i++ {
		m := desk(answers).next(t)
		want := strconv.Itoa(i)
		if i < 0 {
			want = "first"
		}
		if m.Key != want {
			t.Fatalf("answer for %s, want %s", m.Key, want)
		}
		if m.Err != "" {
			refused++
		}
	}
	if refused == 0 || refused == puts {
		t.Fatalf("%d of %d were refused, want some", refused, puts)
	}
	p.Put("later", nil)
	if m := desk(answers).next(t); m.Err != "" {
		t.Fatal(m.Err)
	}
}

func TestCloseAnswersWhatWasHandedOver(t *testing.T) {
	r := open(t, t.TempDir())
	answers := make(desk, 1000)
	p := r.Port(answers.deliver)
	for i := range 500 {
		p.Put(strconv.Itoa(i), []byte("x"))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if len(answers) != 500 {
		t.Fatalf("%d answers after Close, want 500", len(answers))
	}
	p.Put("too late", nil)
	for range 500 {
		answers.next(t)
	}
	if m := answers.next(t); m.Err == "" {
		t.Fatal("a record after Close was called durable")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestIncarnationGrows(t *testing.T) {
	dir := t.TempDir()
	now := time.Unix(1_800_000_000, 0)
	steps := []struct {
		at   time.Time
		want uint64
	}{
		{now, 1_800_000_000},
		{now, 1_800_000_001},                 // twice within a second
		{now.Add(-time.Hour), 1_800_000_002}, // the clock was set back
		{now.Add(time.Hour), 1_800_003_600},  // as the clock goes
		{time.Unix(-5, 0), 1_800_003_601},    // a broken clock
		{now.Add(2 * time.Hour), 1_800_007_200},
	}
	for _, s := range steps {
		r := open(t, dir)
		got, err := r.Incarnation(s.at)
		if err != nil || got != s.want {
			t.Fatalf("at %v: incarnation %d, %v; want %d", s.at.Unix(), got, err, s.want)
		}
		if len(r.Load()) != 0 {
			t.Fatalf("the incarnation shows among the records: %v", r.Load())
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDirectoryInUse(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	_, err := disk.Open(dir)
	if err == nil || !strings.Contains(err.Error(), "in use") || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Fatalf("error %v, want one that names process %d", err, os.Getpid())
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
}

func TestNoDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{path, filepath.Join(path, "below")} {
		if _, err := disk.Open(dir); err == nil || !strings.Contains(err.Error(), "data-dir "+dir) {
			t.Errorf("error %v, want one that names %s", err, dir)
		}
	}
}

// A damaged file is an error that says so, and stays as it is.
func TestDamagedFile(t *testing.T) {
	whole := t.TempDir()
	r := open(t, whole)
	answers := make(desk, 1000)
	p := r.Port(answers.deliver)
	for i := range 300 {
		p.Put(strconv.Itoa(i), make([]byte, 300))
	}
	for range 300 {
		answers.next(t)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(whole, "member.db"))
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string]func([]byte) []byte{
		"another file":    func([]byte) []byte { return []byte(strings.Repeat("this is no database ", 1000)) },
		"cut to a byte":   func(b []byte) []byte { return b[:1] },
		"cut to its head": func(b []byte) []byte { return b[:2*os.Getpagesize()] },
		"cut to a half":   func(b []byte) []byte { return b[:len(b)/2] },
		"zeros at its end": func(b []byte) []byte {
			return append(b[:2*os.Getpagesize()], make([]byte, len(b)-2*os.Getpagesize())...)
		},
		"both heads gone": func(b []byte) []byte { return append(make([]byte, 2*os.Getpagesize()), b[2*os.Getpagesize():]...) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "member.db")
			bad := damage(bytes.Clone(good))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := disk.Open(dir)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "move it away") {
				t.Fatalf("error %v, want one that says what to do about %s", err, path)
			}
			if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, bad) {
				t.Fatalf("the damaged file was changed (%v)", err)
			}
		})
	}
}

// A process that is killed at any moment loses nothing that was answered for.
func TestKilledWriterLosesNothingAnswered(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), "ORRERY_DISK_WRITER="+dir)
		writer.Stderr = os.Stderr
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		answered := map[string]string{}
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			key, value, ok := strings.Cut(lines.Text(), "=")
			if !ok {
				continue
			}
			answered[key] = value
			if len(answered) == 40*(round+1) {
				_ = writer.Process.Kill() // what it printed until it died is read as well
			}
		}
		_ = writer.Wait()
		r := open(t, dir)
		found := r.Load()
		for key, value := range answered {
			// A later value that was not answered any more may have been written.
			got, err := strconv.Atoi(string(found[key]))
			want, _ := strconv.Atoi(value)
			if err != nil || got < want {
				t.Fatalf("round %d: %s is %q, and %q was answered for", round, key, found[key], value)
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// writeForEver writes growing numbers and prints which are durable.
func writeForEver(dir string) {
	r, err := disk.Open(dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	life, err := r.Incarnation(time.Now())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	type write struct{ key, value string }
	under := make(chan write, 64)
	p := r.Port(func(msg any) {
		w := <-under
		if m := msg.(store.DiskDone); m.Err != "" || m.Key != w.key {
			fmt.Fprintln(os.Stderr, m, w)
			os.Exit(1)
		}
		fmt.Printf("%s=%s\n", w.key, w.value)
	})
	for n := int(life) * 1_000_000; ; n++ {
		w := write{fmt.Sprintf("key-%d", n%1000), strconv.Itoa(n)}
		under <- w
		p.Put(w.key, []byte(w.value))
	}
}
