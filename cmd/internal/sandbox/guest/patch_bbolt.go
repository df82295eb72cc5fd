package guest

import (
	"errors"
	"path/filepath"
)

// patchBbolt gives bbolt the few files that it has for each platform. Memory cannot be mapped
// here: what is written goes to the file and to a copy of it in memory. The order of writes
// and syncs is that of bbolt, which is what its safety in a crash rests on.
//
// How it syncs is a variable, SyncFile, for the guest to set.
//
// A page that a damaged file places outside of itself is a fault of memory elsewhere, which
// ends in an error. Here it would be any memory of the guest, so bbolt looks where it reads.
func patchBbolt(dir string) error {
	const place = "\tpos := id * common.Pgid(db.pageSize)\n"
	return errors.Join(
		replaceOnce(filepath.Join(dir, "bolt_unix.go"), "//go:build !windows", "//go:build !wasip1 && !windows"),
		replaceOnce(filepath.Join(dir, "boltsync_unix.go"), "//go:build !windows", "//go:build !wasip1 && !windows"),
		replaceOnce(filepath.Join(dir, "mlock_unix.go"), "//go:build !windows", "//go:build !wasip1 && !windows"),
		replaceOnce(filepath.Join(dir, "db.go"), "db.file.Sync()", "SyncFile(db.file)"),
		replaceOnce(filepath.Join(dir, "db.go"), place, place+
			"\tif pos >= common.Pgid(db.datasz) {\n\t\tpanic(fmt.Sprintf(\"page %d is outside of the file\", id))\n\t}\n"),
		addFile(dir, "bolt_wasip1.go"),
		addFile(filepath.Join(dir, "internal", "common"), "bolt_wasm.go"),
	)
}
