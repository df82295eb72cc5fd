package orrery

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the expected output of the text tests under testdata")

// TestScheduleText runs testdata/schedule: blocks of a command, schedules, ----, output. Commands are
//
//	next from=2026-03-07 count=3    each schedule's next due times after a time of the zone's clock
//	prev at=2026-03-07 count=3      the same backwards
//	parse                           each schedule's error, or ok
//
// with zone= gap= repeat= name= starts= expires= anchor=, of which starts, expires and anchor are RFC 3339.
func TestScheduleText(t *testing.T) {
	files, err := filepath.Glob("testdata/schedule/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no text tests: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			given, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runScheduleText(t, string(given))
			switch {
			case got == string(given):
			case *update:
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			default:
				t.Errorf("%s does not say what the code does; read the difference, then -update\n%s", file, firstDifference(string(given), got))
			}
		})
	}
}

// runScheduleText returns a text with the output that its commands have now.
func runScheduleText(t *testing.T, text string) string {
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		head, _, _ := strings.Cut(block, "\n----")
		var out strings.Builder
		var command string
		var schedules []string
		for line := range strings.Lines(head) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case strings.HasPrefix(line, "#"):
			case command == "":
				command = line
			default:
				schedules = append(schedules, line)
			}
		}
		if command != "" {
			head += "\n----"
			for _, schedule := range schedules {
				out.WriteString(runScheduleCommand(t, command, schedule, len(schedules) > 1))
			}
		}
		blocks = append(blocks, strings.TrimSuffix(head+"\n"+out.String(), "\n"))
	}
	return strings.Join(blocks, "\n\n") + "\n"
}

func runScheduleCommand(t *testing.T, command, text string, several bool) string {
	t.Helper()
	verb, arguments, _ := strings.Cut(command, " ")
	spec, options := scheduleOptions(t, arguments)
	spec.Text = text
	if unquoted, err := strconv.Unquote(text); err == nil {
		spec.Text = unquoted
	}
	s, err := ParseSchedule(spec)
	if err != nil {
		return err.Error() + "\n"
	}
	if verb == "parse" {
		return "ok\n"
	}
	var out strings.Builder
	if several {
		fmt.Fprintf(&out, "%s\n", text)
	}
	count, err := strconv.Atoi(options["count"])
	if err != nil {
		t.Fatalf("%q: count: %v", command, err)
	}
	at := localTime(t, options["from"]+options["at"], s.Zone())
	for range count {
		var due Occurrence
		switch verb {
		case "next":
			if found := s.Preview(at, 1); len(found) == 1 {
				due = found[0]
			}
			at = due.Due
		case "prev":
			due.Due = s.Prev(at)
			at = due.Due.Add(-1)
		default:
			t.Fatalf("unknown command %q", verb)
		}
		if due.Due.IsZero() {
			out.WriteString("never\n")
			break
		}
		local := due.Due.In(s.Zone()).Format("Mon 2006-01-02 15:04:05.999999999 -07:00:00")
		local = strings.TrimSuffix(local, ":00")
		out.WriteString(strings.TrimSpace(local+" "+string(due.Touched)) + "\n")
	}
	return out.String()
}

func scheduleOptions(t *testing.T, text string) (ScheduleSpec, map[string]string) {
	t.Helper()
	options := map[string]string{}
	for option := range strings.FieldsSeq(text) {
		key, value, _ := strings.Cut(option, "=")
		options[key] = value
	}
	gap, err := ParseGapRule(options["gap"])
	if err != nil {
		t.Fatal(err)
	}
	repeat, err := ParseRepeatRule(options["repeat"])
	if err != nil {
		t.Fatal(err)
	}
	instant := func(key string) int64 {
		if options[key] == "" {
			return 0
		}
		at, err := time.Parse(time.RFC3339, options[key])
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixNano()
	}
	return ScheduleSpec{
		Zone: options["zone"], Name: options["name"], DST: DST{Gap: gap, Repeat: repeat},
		Anchor: instant("anchor"), StartsAt: instant("starts"), ExpiresAt: instant("expires"),
	}, options
}

func localTime(t *testing.T, text string, zone *time.Location) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at
		}
	}
	t.Fatalf("%q is no time", text)
	return time.Time{}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("line %d\n  text: %s\n  code: %s", i+1, a[i], strings.Join(b[min(i, len(b)-1):min(i+1, len(b))], ""))
		}
	}
	return fmt.Sprintf("the code says more than %d lines", len(a))
}
