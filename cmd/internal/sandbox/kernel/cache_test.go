package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestMachineCodeOfFewGuestsIsKept(t *testing.T) {
	dir := t.TempDir()
	folder := func(i int) string {
		t.Helper()
		own, err := cacheFor(dir, fmt.Append(nil, "guest ", i))
		if err != nil {
			t.Fatal(err)
		}
		return own
	}
	folders := map[int]string{}
	used := func(i int, ago time.Duration) {
		t.Helper()
		own := folder(i)
		folders[i] = own
		at := time.Now().Add(-ago)
		if err := os.WriteFile(filepath.Join(own, "code"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(own, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for i := range compiledKept {
		used(i, time.Duration(i+1)*time.Hour)
	}
	used(compiledKept-1, time.Minute) // again: another one is the oldest now
	folder(compiledKept)
	for i, own := range folders {
		_, err := os.Stat(filepath.Join(own, "code"))
		if kept := err == nil; kept != (i != compiledKept-2) {
			t.Errorf("the code of guest %d of %d is there: %v", i, compiledKept, kept)
		}
	}
}
