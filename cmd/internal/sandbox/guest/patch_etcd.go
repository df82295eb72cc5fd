package guest

import (
	"errors"
	"os"
	"path/filepath"
)

// patchEtcd leaves of this large module what raft-wal needs of it, the preallocation of
// files, which it has none of for WASI. The rest, and what that stands on, does not compile.
func patchEtcd(dir string) error {
	const name = "preallocate.go"
	folder := filepath.Join(dir, "pkg", "fileutil")
	text, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		return err
	}
	return errors.Join(
		os.RemoveAll(dir),
		os.MkdirAll(folder, 0o755),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module github.com/coreos/etcd\n"), 0o644),
		os.WriteFile(filepath.Join(folder, name), text, 0o644),
		addFile(folder, "preallocate_wasip1.go"),
	)
}
