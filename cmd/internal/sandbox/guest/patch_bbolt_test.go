package guest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/experimental/sys"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"go.etcd.io/bbolt"
)

// A guest's bbolt loses nothing that it called durable when the power goes, at whatever
// moment, and whatever the disk did until then of what was not synced. bbolt as it is
// everywhere reads what is left.
func TestBboltOfAGuestOutlivesAPowerLoss(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a guest")
	}
	done := runRecords(t)
	chance := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "records.db")
	var durable, begun string
	losses := 0
	for i, e := range done {
		if word, digest, _ := strings.Cut(e.said, " "); word == "begin" {
			begun = digest
		} else if word == "end" {
			durable = digest
		}
		if durable == "" {
			continue // a new file is not yet one
		}
		losses++
		if err := os.WriteFile(path, afterPowerLoss(chance, done[:i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readRecords(path); err != nil || got != durable && got != begun {
			t.Fatalf("power lost after %d of %d steps of the disk: found %s, %v; want %s, or %s", i+1, len(done), got, err, durable, begun)
		}
	}
	if losses < 500 {
		t.Errorf("the power was lost at %d moments only: the guest did not do what it was to do", losses)
	}
}

// event is what a guest did: it said something, or it changed its file, or synced it.
type event struct {
	said string // a word and a digest

	at       int64
	data     []byte // nil: neither this
	truncate bool   // to at
	sync     bool
}

// runRecords runs the guest of testdata/records.
func runRecords(t *testing.T) (done []event) {
	ctx := t.Context()
	r := wazero.NewRuntime(ctx)
	defer r.Close(ctx)
	wasi_snapshot_preview1.MustInstantiate(ctx, r)
	program, err := os.ReadFile(compileRecords(t))
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	record := func(e event) { done = append(done, e) }
	config := wazero.NewModuleConfig().WithStdout(speech(record)).WithStderr(&errs).WithFSConfig(
		wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(folder{sysfs.DirFS(t.TempDir()), record}, "/"))
	if _, err := r.InstantiateWithConfig(ctx, program, config); err != nil && !strings.Contains(err.Error(), "exit_code(0)") {
		t.Fatalf("%v\n%s", err, &errs)
	}
	return done
}

func compileRecords(t *testing.T) (path string) {
	ctx := context.Background()
	b, err := prepare(ctx)
	if err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(b.lockFile())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	mod, err := modfile(ctx, b.root)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "records.wasm")
	if _, err := run(ctx, b.root, environment, "build", "-modfile", mod, "-o", path, "./cmd/internal/sandbox/guest/testdata/records"); err != nil {
		t.Fatal(err)
	}
	return path
}

// speech takes lines, each written at once.
type speech func(event)

func (s speech) Write(line []byte) (int, error) {
	words := strings.Fields(string(line))
	s(event{said: words[0] + " " + words[2]})
	return len(line), nil
}

// folder records what happens to its files.
type folder struct {
	sys.FS
	record func(event)
}

func (d folder) OpenFile(path string, flag sys.Oflag, perm fs.FileMode) (sys.File, sys.Errno) {
	f, errno := d.FS.OpenFile(path, flag, perm)
	if errno != 0 {
		return nil, errno
	}
	return file{f, d.record}, 0
}

type file struct {
	sys.File
	record func(event)
}

func (f file) Pwrite(b []byte, at int64) (int, sys.Errno) {
	f.record(event{at: at, data: bytes.Clone(b)})
	return f.File.Pwrite(b, at)
}

func (f file) Truncate(size int64) sys.Errno {
	f.record(event{at: size, truncate: true})
	return f.File.Truncate(size)
}

func (f file) Sync() sys.Errno {
	f.record(event{sync: true})
	return f.File.Sync()
}

func (f file) Datasync() sys.Errno {
	f.record(event{sync: true})
	return f.File.Datasync()
}

// afterPowerLoss is a content that the file may have when the power is lost after events:
// all that was synced, and of the rest any sectors.
func afterPowerLoss(chance *rand.Rand, done []event) (content []byte) {
	const sector = 512
	synced := len(done)
	for synced > 0 && !done[synced-1].sync {
		synced--
	}
	for i, e := range done {
		if e.truncate && (i < synced || chance.IntN(2) == 0) {
			content = resize(content, e.at)
		}
		whole := i < synced || chance.IntN(3) == 0
		for from := 0; from < len(e.data); from += sector {
			if piece := e.data[from:min(from+sector, len(e.data))]; whole || chance.IntN(2) == 0 {
				at := e.at + int64(from)
				content = resize(content, max(int64(len(content)), at+int64(len(piece))))
				copy(content[at:], piece)
			}
		}
	}
	return content
}

func resize(content []byte, size int64) []byte {
	if more := size - int64(len(content)); more > 0 {
		return append(content, make([]byte, more)...)
	}
	return content[:size]
}

// readRecords checks a file and returns the digest of its records.
func readRecords(path string) (digest string, err error) {
	defer func() { // bbolt panics on some damage
		if damage := recover(); damage != nil {
			err = fmt.Errorf("%v", damage)
		}
	}()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return "", err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		h := sha256.New()
		defer func() { digest = fmt.Sprintf("%x", h.Sum(nil)[:8]) }()
		return tx.Bucket([]byte("records")).ForEach(func(key, value []byte) error {
			fmt.Fprintf(h, "%s %x\n", key, value)
			return nil
		})
	})
	return digest, err
}
