package orrery

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"testing"
	"time"
)

// The release that zone.go says is embedded.
const zoneDatabaseSum = "8f55634d05f8bca1f7bc7c69c5933428c69357e0bdf565e5ba224e3f88ff12e8" // 2025c

// TestZoneDatabase holds zoneinfo.zip against the release that zone.go names. To replace it:
//
//	cp $(go env GOROOT)/lib/time/zoneinfo.zip .
//	grep DATA= $(go env GOROOT)/lib/time/update.bash   # the release, for the comments here and in zone.go
//	sha256sum zoneinfo.zip                             # for zoneDatabaseSum
//	go test .                                          # the text tests show which due times a new release moves
func TestZoneDatabase(t *testing.T) {
	sum := sha256.Sum256([]byte(zoneDatabase))
	if got := hex.EncodeToString(sum[:]); got != zoneDatabaseSum {
		t.Errorf("zoneinfo.zip has the sum %s; if it was replaced, follow the comment of this test", got)
	}
}

func TestLoadZone(t *testing.T) {
	for _, name := range []string{"", "UTC"} {
		if got, err := LoadZone(name); err != nil || got != time.UTC {
			t.Errorf("LoadZone(%q) = %v, %v, want UTC", name, got, err)
		}
	}
	berlin, err := LoadZone("Europe/Berlin")
	if err != nil || berlin.String() != "Europe/Berlin" {
		t.Fatalf("LoadZone(Europe/Berlin) = %v, %v", berlin, err)
	}
	if again, _ := LoadZone("Europe/Berlin"); again != berlin {
		t.Error("the same name yields two pointers")
	}
	for _, name := range []string{"Local", "europe/berlin", "Europe", "Europe/", "/etc/localtime", strings.Repeat("Europe/", 100)} {
		if got, err := LoadZone(name); CodeOf(err) != Invalid {
			t.Errorf("LoadZone(%q) = %v, %v, want an invalid name", name, got, err)
		}
	}
}

// allZones returns every zone of the database by name.
func allZones(t *testing.T) map[string]*zone {
	t.Helper()
	all := map[string]*zone{}
	for _, file := range zoneFiles() {
		z, err := loadZone(file.Name)
		if err != nil {
			t.Fatal(err)
		}
		all[file.Name] = z
	}
	return all
}

// What calendar.window takes for granted.
func TestSpansOutlastTheirTransitions(t *testing.T) {
	zones := allZones(t)
	if len(zones) < 400 {
		t.Fatalf("the database has %d zones only", len(zones))
	}
	for name, z := range zones {
		if z.spans[0].from != calendarFrom {
			t.Errorf("%s begins at %d, not with the calendar", name, z.spans[0].from)
		}
		for i := 1; i < len(z.spans); i++ {
			turned := z.spans[i].offset - z.spans[i-1].offset
			before, after := z.spans[i].from-z.spans[i-1].from, z.until(i)-z.spans[i].from
			if turned == 0 || max(turned, -turned) >= min(before, after) {
				t.Errorf("%s: at %d the clock is turned by %d s between spans of %d and %d s", name, z.spans[i].from, turned, before, after)
			}
		}
	}
}

// The spans say what package time says: at both sides of every transition and once a month in every
// zone, every three hours through decades of past, present and rule-made transitions in some.
func TestSpansAgreeWithPackageTime(t *testing.T) {
	const month = 30*secondsPerDay + 4321
	agree := func(name string, z *zone, unix int64) {
		_, want := time.Unix(unix, 0).In(z.location).Zone()
		if got := z.spans[z.spanAt(unix)].offset; got != int64(want) {
			t.Fatalf("%s at %s: offset %d, want %d", name, time.Unix(unix, 0).UTC(), got, want)
		}
	}
	for name, z := range allZones(t) {
		for _, s := range z.spans[1:] {
			agree(name, z, s.from-1)
			agree(name, z, s.from)
		}
		for unix := int64(calendarFrom); unix < calendarUntil; unix += month {
			agree(name, z, unix)
		}
	}
	for _, name := range []string{"America/New_York", "Africa/Casablanca", "Africa/Cairo", "Australia/Lord_Howe", "Europe/Dublin", "America/Sao_Paulo", "Asia/Gaza"} {
		z, err := loadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, decades := range [][2]int{{1940, 1950}, {2005, 2050}, {2190, 2200}} {
			for day := dayNumber(decades[0], 1, 1); day < dayNumber(decades[1], 1, 1); day++ {
				for hour := range int64(8) {
					agree(name, z, day*secondsPerDay+hour*3*3600)
				}
			}
		}
	}
}

func TestEditDistance(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		want int
	}{
		"equal":        {"berlin", "berlin", 0},
		"nothing":      {"", "utc", 3},
		"one missing":  {"berln", "berlin", 1},
		"one replaced": {"berlim", "berlin", 1},
		"classic":      {"kitten", "sitting", 3},
		"exchanged":    {"ab", "ba", 2},
	} {
		if got, back := EditDistance(c.a, c.b), EditDistance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%s: %q to %q takes %d, back %d, want %d", name, c.a, c.b, got, back, c.want)
		}
	}
}

func TestNearestZones(t *testing.T) {
	for wrong, want := range map[string][]string{
		"berlin":                {"Europe/Berlin"},
		"Europe/Berln":          {"Europe/Berlin"},
		"America/Louisvile":     {"America/Louisville", "America/Kentucky/Louisville"},
		"Qqqq":                  wellKnownZones,
		strings.Repeat("a", 99): wellKnownZones,
	} {
		if got := nearestZones(wrong); !slices.Equal(got, want) {
			t.Errorf("nearest to %q: %v, want %v", wrong, got, want)
		}
	}
}
