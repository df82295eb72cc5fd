package orrery

import (
	"archive/zip"
	"cmp"
	_ "embed"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// zoneDatabase is the IANA time zone database, release 2025c, as Go 1.26 ships it in lib/time/zoneinfo.zip. It is part of the program, so that a
// schedule means the same on every member, whatever the host has installed.
// TestZoneDatabase says how to replace it by a newer one.
//
//go:embed zoneinfo.zip
var zoneDatabase string

// The calendar that schedules are answered for: from the first instant of 1800 to the last of 2199 (UTC).
// Dates and weekdays repeat every 400 years, so what does not happen in these does not happen at all;
// and all of them fit the 64 bits of unix nanoseconds, in which the state keeps its instants.
const (
	calendarFrom  = -5364662400 // 1800-01-01T00:00:00Z
	calendarUntil = 7258118400  // 2200-01-01T00:00:00Z
)

const secondsPerDay = 24 * 60 * 60

// zone is a time zone as the sequence of its spans. The first begins with the calendar, the last ends with it.
type zone struct {
	location *time.Location
	spans    []span
}

// span is a stretch of time during which the zone's clock is not turned: it shows unix + offset, from the
// unix second from until the next span's.
type span struct {
	from   int64
	offset int64
}

// LoadZone returns the zone of that IANA name from the database inside the program; "" is UTC. Neither the
// host's database nor its local zone is ever asked. The same name always yields the same pointer.
// An unknown name is refused with the known names nearest to it.
func LoadZone(name string) (*time.Location, error) {
	z, err := loadZone(name)
	if err != nil {
		return nil, err
	}
	return z.location, nil
}

// zones remembers every zone once built: the function is pure and building one takes a third of a millisecond.
// It cannot outgrow the database.
var zones sync.Map // name → *zone

func loadZone(name string) (*zone, error) {
	name = cmp.Or(name, "UTC")
	if z, ok := zones.Load(name); ok {
		return z.(*zone), nil
	}
	location, err := readZone(name)
	if err != nil {
		return nil, err
	}
	z, _ := zones.LoadOrStore(name, &zone{location: location, spans: spansOf(location)})
	return z.(*zone), nil
}

func readZone(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	i, ok := slices.BinarySearchFunc(zoneFiles(), name, func(f *zip.File, name string) int {
		return strings.Compare(f.Name, name)
	})
	if !ok {
		return nil, Invalidf("unknown time zone %q: expected an IANA name such as %s", name, strings.Join(nearestZones(name), ", "))
	}
	data, err := readZipped(zoneFiles()[i])
	if err != nil {
		panic(fmt.Sprintf("orrery: the embedded zone %s cannot be read: %v", name, err))
	}
	location, err := time.LoadLocationFromTZData(name, data)
	if err != nil {
		panic(fmt.Sprintf("orrery: the embedded zone %s is damaged: %v", name, err))
	}
	return location, nil
}

func readZipped(file *zip.File) ([]byte, error) {
	r, err := file.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// zoneFiles lists the database by name.
var zoneFiles = sync.OnceValue(func() []*zip.File {
	archive, err := zip.NewReader(strings.NewReader(zoneDatabase), int64(len(zoneDatabase)))
	if err != nil {
		panic(fmt.Sprintf("orrery: the embedded zone database is damaged: %v", err))
	}
	files := slices.DeleteFunc(archive.File, func(f *zip.File) bool { return strings.HasSuffix(f.Name, "/") })
	slices.SortFunc(files, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	return files
})

// spansOf walks a location's transitions through the calendar. A transition that changes only the
// abbreviation turns no clock and begins no span.
func spansOf(location *time.Location) []span {
	var spans []span
	for at := int64(calendarFrom); at < calendarUntil; {
		t := time.Unix(at, 0).In(location)
		_, offset := t.Zone()
		if n := len(spans); n == 0 || spans[n-1].offset != int64(offset) {
			spans = append(spans, span{from: at, offset: int64(offset)})
		}
		_, end := t.ZoneBounds()
		switch {
		case end.IsZero():
			return spans
		case end.Unix() > at:
			at = end.Unix()
		default:
			// Where a rule continues the table, package time ends the last stretch of a year after 365 days,
			// which on 31 December of a leap year is no progress.
			at += secondsPerDay
		}
	}
	return spans
}

// spanAt returns the index of the span that holds a unix second of the calendar.
func (z *zone) spanAt(unix int64) int {
	low, high := 0, len(z.spans)
	for high-low > 1 {
		middle := (low + high) / 2
		if z.spans[middle].from <= unix {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// until returns the unix second that ends a span.
func (z *zone) until(i int) int64 {
	if i+1 == len(z.spans) {
		return calendarUntil
	}
	return z.spans[i+1].from
}

// maxZoneSuggestions is how many names an error offers: a city's name can be that of two or three zones.
const maxZoneSuggestions = 3

// maxZoneGuess bounds the names for which a neighbour is looked for; no IANA name is half as long.
const maxZoneGuess = 64

// nearestZones returns the known names fewest edits away from a wrong one, comparing also the city alone
// ("berlin" is Europe/Berlin); two well-known ones if nothing is near.
func nearestZones(name string) []string {
	if len(name) > maxZoneGuess {
		return wellKnownZones
	}
	type candidate struct {
		name       string
		city, full int // edits
	}
	wrong := strings.ToLower(name)
	nearest := max(1, len(path.Base(wrong))/4)
	var candidates []candidate
	for _, file := range zoneFiles() {
		known := strings.ToLower(file.Name)
		c := candidate{file.Name, EditDistance(path.Base(wrong), path.Base(known)), EditDistance(wrong, known)}
		if min(c.city, c.full) < nearest {
			nearest, candidates = min(c.city, c.full), nil
		}
		if min(c.city, c.full) == nearest {
			candidates = append(candidates, c)
		}
	}
	slices.SortStableFunc(candidates, func(a, b candidate) int { return cmp.Compare(a.full, b.full) })
	var names []string
	for _, c := range candidates[:min(len(candidates), maxZoneSuggestions)] {
		names = append(names, c.name)
	}
	if names == nil {
		return wellKnownZones
	}
	return names
}

var wellKnownZones = []string{"Europe/Berlin", "UTC"}

// EditDistance is Levenshtein's: how many bytes to insert, delete or replace to make b of a.
// It serves errors that name what was probably meant.
func EditDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
