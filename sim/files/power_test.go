package files

import (
	"fmt"
	"strings"
	"testing"
)

// TestPowerLoss holds, for each deed, all that a power loss may leave of it.
func TestPowerLoss(t *testing.T) {
	tests := map[string]struct {
		do   func(m *machine)
		left []string
	}{
		"nothing was done": {func(m *machine) {}, []string{""}},
		"a file that was synced": {
			func(m *machine) { m.put("f", "text"); m.sync("f") },
			[]string{"f=text"},
		},
		"a file that was not synced: name, size and bytes": {
			func(m *machine) { m.put("f", "text") },
			[]string{"", "f=", "f=0000", "f=text"},
		},
		"a sync covers the directories above": {
			func(m *machine) { must(m.Mkdir("d")); must(m.Mkdir("d/e")); m.put("d/e/f", "text"); m.sync("d/e/f") },
			[]string{"d/ d/e/ d/e/f=text"},
		},
		"a sync of the directory covers names and not bytes": {
			func(m *machine) { m.put("f", "text"); m.put("g", "text"); m.sync("/") },
			[]string{"f=0000 g=", "f=0000 g=0000", "f=0000 g=text", "f=text g=", "f=text g=0000", "f=text g=text"},
		},
		"a sync covers what was journalled before, and not its bytes": {
			func(m *machine) { m.put("f", "text"); m.put("g", "text"); m.sync("g") },
			[]string{"f=0000 g=text", "f=text g=text"},
		},
		"a sync does not cover what was journalled after": {
			func(m *machine) { m.put("f", "text"); must(m.Mkdir("d")); m.sync("f") },
			[]string{"f=text", "d/ f=text"},
		},
		"an overwritten block is the old or the new one": {
			func(m *machine) { m.put("f", "old"); m.sync("f"); m.put("f", "new") },
			[]string{"f=old", "f=new"},
		},
		"a removed file is there again, or not": {
			func(m *machine) { m.put("f", "text"); m.sync("f"); must(m.Remove("f")) },
			[]string{"", "f=text"},
		},
		"a removal that was synced": {
			func(m *machine) { m.put("f", "text"); m.sync("f"); must(m.Remove("f")); m.sync("/") },
			[]string{""},
		},
		"a removed directory is there again, or not": {
			func(m *machine) { must(m.Mkdir("d")); m.sync("d"); must(m.RemoveDir("d")) },
			[]string{"", "d/"},
		},
		"a rename is atomic": {
			func(m *machine) {
				m.put("f", "old")
				m.sync("f")
				m.put("g", "new")
				m.sync("g")
				must(m.Rename("g", "f"))
			},
			[]string{"f=old g=new", "f=new"},
		},
		"a rename that was synced": {
			func(m *machine) {
				must(m.Mkdir("d"))
				m.put("f", "text")
				m.sync("f")
				must(m.Rename("f", "d/g"))
				m.sync("d")
			},
			[]string{"d/ d/g=text"},
		},
		"a rename is synced by the directory that was left, too": {
			func(m *machine) {
				must(m.Mkdir("d"))
				m.put("f", "text")
				m.sync("f")
				must(m.Rename("f", "d/g"))
				m.sync("/")
			},
			[]string{"d/ d/g=text"},
		},
		"a sync of the file does not cover its rename": {
			func(m *machine) { m.put("f", "text"); m.sync("f"); must(m.Rename("f", "g")); m.sync("g") },
			[]string{"f=text", "g=text"},
		},
		"a renamed file whose bytes were not synced": {
			func(m *machine) {
				m.put("f", "old")
				m.sync("f")
				m.put("g", "new")
				must(m.Rename("g", "f"))
				m.sync("/")
			},
			[]string{"f=000", "f=new"},
		},
		"changes are kept in their order": {
			func(m *machine) {
				for _, name := range []string{"a", "b", "c"} {
					must(m.Mkdir(name))
				}
				must(m.RemoveDir("a"))
			},
			[]string{"", "a/", "a/ b/", "a/ b/ c/", "b/ c/"},
		},
		"a truncation": {
			func(m *machine) { m.put("f", "text"); m.sync("f"); m.truncate("f", 2) },
			[]string{"f=te", "f=te00", "f=text"},
		},
		"what was cut off does not come back": {
			func(m *machine) {
				m.put("f", "text")
				m.sync("f")
				m.truncate("f", 0)
				m.truncate("f", 4)
				m.sync("f")
			},
			[]string{"f=0000"},
		},
		"what was written after a truncation is not seen without it": {
			func(m *machine) { m.put("f", "old"); m.sync("f"); m.truncate("f", 0); m.put("f", "new") },
			[]string{"f=old", "f=", "f=000", "f=new"},
		},
		"a hole that was filled": {
			func(m *machine) {
				m.put("f", "")
				m.truncate("f", 4)
				m.sync("f")
				m.put("f", "text")
			},
			[]string{"f=0000", "f=text"},
		},
		"a longer file is as long or not": {
			func(m *machine) { m.put("f", ""); m.sync("f"); m.truncate("f", 3*blockSize) },
			[]string{"f=", "f=0*12288"},
		},
		"an append beyond the block: its parts": {
			func(m *machine) {
				m.put("f", "a")
				m.sync("f")
				m.putAt("f", blockSize, "b")
			},
			[]string{"f=a", "f=a0*4095", "f=a0*4096", "f=a0*4095 b"},
		},
		"two power losses": {
			func(m *machine) { m.put("f", "text"); m.sync("f"); m.PowerLoss(); m.PowerLoss() },
			[]string{"f=text"},
		},
		"what was left by one is there after the next": {
			func(m *machine) {
				m.put("f", "text")
				m.PowerLoss()
				had := m.tree()
				m.PowerLoss()
				if again := m.tree(); again != had {
					panic(fmt.Sprintf("%q became %q", had, again))
				}
			},
			[]string{"", "f=", "f=0000", "f=text"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { wantOutcomes(t, after(test.do), test.left...) })
	}
}

// TestTear holds that of many unsynced blocks any may be there, and at most one in part,
// cut between sectors.
func TestTear(t *testing.T) {
	torn := map[string]bool{}
	for seed := range uint64(2000) {
		m := newMachine(seed, steady())
		m.put("f", strings.Repeat("-", 4*blockSize))
		m.sync("f")
		m.put("f", strings.Repeat("x", 4*blockSize))
		m.PowerLoss()
		parts := 0
		for text := m.text("f"); text != ""; text = text[blockSize:] {
			switch part := text[:blockSize]; {
			case strings.Count(part, "-")%blockSize == 0:
			case strings.Contains(part, "-x-") || strings.Contains(part, "x-x"):
				t.Fatalf("seed %d: torn twice: %s", seed, runs(part))
			default:
				parts++
				torn[part] = true
			}
			for at := 0; at < blockSize; at += sectorSize {
				if strings.Count(text[at:at+sectorSize], "x")%sectorSize != 0 {
					t.Fatalf("seed %d: a torn sector", seed)
				}
			}
		}
		if parts > 1 {
			t.Fatalf("seed %d: %d blocks are torn", seed, parts)
		}
	}
	if len(torn) != 14 {
		t.Errorf("a block was torn in %d ways, want 7 places and 2 orders", len(torn))
	}
}

// TestAnySubset holds that each subset of three blocks is met.
func TestAnySubset(t *testing.T) {
	seen := outcomes(steady(), func(m *machine) string {
		m.put("f", strings.Repeat("-", 3*blockSize))
		m.sync("f")
		m.put("f", strings.Repeat("x", 3*blockSize))
		m.PowerLoss()
		text := m.text("f")
		for block := range 3 {
			if strings.Count(text[block*blockSize:][:blockSize], "x")%blockSize != 0 {
				return "torn"
			}
		}
		return text[:1] + text[blockSize:][:1] + text[2*blockSize:][:1]
	})
	wantOutcomes(t, seen, "torn", "---", "--x", "-x-", "-xx", "x--", "x-x", "xx-", "xxx")
}

// TestEarlyWrites holds that also versions in between reach the disk, now and then.
func TestEarlyWrites(t *testing.T) {
	seen := map[byte]int{}
	for seed := range uint64(3000) {
		m := newMachine(seed, steady())
		m.put("f", "0")
		m.sync("f")
		for _, version := range []string{"1", "2", "3"} {
			m.put("f", version)
		}
		m.PowerLoss()
		seen[m.text("f")[0]]++
	}
	for version := byte('0'); version <= '3'; version++ {
		if seen[version] == 0 {
			t.Errorf("version %c was never left: %v", version, seen)
		}
	}
	if seen['1']+seen['2'] > 100 {
		t.Errorf("old versions were left too often: %v", seen)
	}
}

// TestEarlyWritesAfterATruncation do not get into the place of what was cut off.
func TestEarlyWritesAfterATruncation(t *testing.T) {
	seen := after(func(m *machine) {
		m.put("f", "old+")
		m.sync("f")
		m.truncate("f", 0)
		for range 100 {
			m.put("f", "new")
		}
	})
	wantOutcomes(t, seen, "f=old+", "f=", "f=000", "f=new")
}

// TestJournalIsBounded makes changes that nobody syncs.
func TestJournalIsBounded(t *testing.T) {
	m := newMachine(1, steady())
	for i := range 10 * maxJournal {
		must(m.Mkdir(fmt.Sprint(i)))
		if len(m.journal) > maxJournal {
			t.Fatalf("%d changes wait", len(m.journal))
		}
	}
	m.PowerLoss()
	if m.Len() < 9*maxJournal || m.Len() > 10*maxJournal {
		t.Errorf("%d directories are left", m.Len())
	}
	for i := range m.Len() {
		if _, err := m.Stat(fmt.Sprint(i)); err != nil {
			t.Fatalf("directory %d: %v", i, err)
		}
	}
}

// TestAppendsAreOneChange appends bytes of which nobody makes a sync.
func TestAppendsAreOneChange(t *testing.T) {
	m := newMachine(1, steady())
	f := m.open("f", Write|Create)
	for range 100 {
		_, err := f.Append([]byte("x"))
		must(err)
	}
	if len(m.journal) != 2 {
		t.Errorf("%d changes wait, want one to create and one to grow", len(m.journal))
	}
}
