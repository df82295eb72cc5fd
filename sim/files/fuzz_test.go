package files

import (
	"strings"
	"testing"
)

// FuzzPaths gives paths to all calls that take them: none panics, nothing comes to be that
// cannot be found again, and nothing is lost that has nothing to do with it.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{"", "/", "a", "a/b", "../a", "a/../..", "a//b/", ".", "a/.", "x/y/z", "\x00", "a/\xff", strings.Repeat("n", 256)} {
		f.Add(path, "a/new")
		f.Add("a/b", path)
	}
	f.Fuzz(func(t *testing.T, from, to string) {
		m := newMachine(1, steady())
		must(m.Mkdir("a"))
		m.put("a/b", "text")
		m.put("safe", "safe")
		for range 2 {
			for _, flags := range []Flags{Read, Read | OnlyDir, Write | Create | Exclusive, Write | Create | Truncate} {
				if file, err := m.Open(from, flags); err == nil {
					must(file.Close())
					if _, err := m.Stat(from); err != nil {
						t.Errorf("%q was opened and is not there: %v", from, err)
					}
				}
			}
			before, _ := m.Stat(from)
			if m.Rename(from, to) == nil && !strings.Contains(to, "..") { // the way there may lead through what has moved
				if after, err := m.Stat(to); err != nil || after != before {
					t.Errorf("%q was renamed to %q: %+v, %v", from, to, after, err)
				}
			}
			if m.Mkdir(from) == nil {
				if entries, err := m.List(from); len(entries) != 0 || err != nil {
					t.Errorf("a new directory %q holds %v, %v", from, entries, err)
				}
			}
			from, to = to, from
		}
		if len(m.named(m.root)) != m.Len() {
			t.Errorf("%d files can be reached of %d", len(m.named(m.root)), m.Len())
		}
		if strings.Contains(from+to, "safe") {
			return
		}
		m.sync("safe")
		m.Remove(from)
		m.RemoveDir(to)
		m.PowerLoss()
		if m.text("safe") != "safe" {
			t.Errorf("what nobody touched is gone: %s", m.tree())
		}
	})
}
