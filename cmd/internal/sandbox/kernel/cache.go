package kernel

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// compiledKept is how many guests there is machine code of. That of an agent takes some
// hundred and seventy megabytes, twice where tests run too.
const compiledKept = 4

// cacheFor makes a folder below dir for the machine code of a guest, and notes that it is
// of use. The guests that nobody has used for longest lose theirs.
func cacheFor(dir string, wasm []byte) (string, error) {
	sum := sha256.Sum256(wasm)
	own := filepath.Join(dir, hex.EncodeToString(sum[:16]))
	if err := os.MkdirAll(own, 0o755); err != nil {
		return "", err
	}
	now := time.Now()
	if err := os.Chtimes(own, now, now); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var others []fs.FileInfo
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.Name() != filepath.Base(own) {
			others = append(others, info)
		}
	}
	slices.SortFunc(others, func(a, b fs.FileInfo) int {
		return cmp.Or(b.ModTime().Compare(a.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for i := compiledKept - 1; i < len(others); i++ {
		if err := os.RemoveAll(filepath.Join(dir, others[i].Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("remove machine code that is not used: %w", err)
		}
	}
	return own, nil
}
