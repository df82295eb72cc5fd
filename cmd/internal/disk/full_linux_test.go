package disk_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A full disk is an error each, and nothing more: what was there stays, and what is
// written when there is room again is durable.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=2m"); err != nil {
		if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
			t.Skip("only root may mount: ", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	r := open(t, dir)
	answers := make(desk, 1000)
	p := r.Port(answers.deliver)
	p.Put("before", []byte("1"))
	if m := answers.next(t); m.Err != "" {
		t.Fatal(m.Err)
	}
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 8<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	p.Put("before", make([]byte, 1<<20))
	if m := answers.next(t); !strings.Contains(m.Err, "no space left") {
		t.Fatalf("on a full disk the answer is %q", m.Err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	p.Put("after", []byte("2"))
	if m := answers.next(t); m.Err != "" {
		t.Fatalf("with room again the answer is %q", m.Err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	found := open(t, dir).Load()
	if !bytes.Equal(found["before"], []byte("1")) || !bytes.Equal(found["after"], []byte("2")) {
		t.Fatalf("found %q", found)
	}
}
