package orrery

import (
	"encoding"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func validJob() Job {
	return Job{Name: "backup", Schedule: "0 30 2 * * *", Executor: ExecutorShell}
}

// TestValidateText runs testdata/validate: blocks of lines "field value", ----, the error
// or ok. The lines are written into a valid job, or with cluster. into the settings.
//
//	retry.backoff.max 5s      by path
//	tags[role] web:2          into a map
//	needs extract failure     one more
//	overlap 9                 a number that stands for no word
//	description "a\xff"       as in Go
//	name a*200                the same again and again
//	tags[#] x*70              that many, x at #0 to #69; needs[#] likewise
func TestValidateText(t *testing.T) {
	files, err := filepath.Glob("testdata/validate/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no text tests: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			given, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runValidateText(t, string(given))
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

func runValidateText(t *testing.T, text string) string {
	var blocks []string
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		head, _, _ := strings.Cut(block, "\n----")
		subject := struct {
			Job
			Cluster ClusterConfig
		}{Job: validJob()}
		var err error
		for line := range strings.SplitSeq(head, "\n") {
			path, value, _ := strings.Cut(line, " ")
			if err == nil && !strings.HasPrefix(line, "#") {
				err = set(reflect.ValueOf(&subject).Elem(), path, value)
			}
		}
		if err == nil {
			err = subject.Validate(subject.Cluster)
		}
		answer := "ok"
		if err != nil {
			answer = err.Error()
		}
		if err != nil && CodeOf(err) != Invalid || strings.ContainsAny(answer, "\n") {
			t.Errorf("%s\ngot %q with code %s; want one line with code invalid", head, answer, CodeOf(err))
		}
		blocks = append(blocks, head+"\n----\n"+answer+"\n")
	}
	return strings.Join(blocks, "\n")
}

// set writes a value into the field of a struct that a path such as retry.backoff.max
// names. Only what the field's own reader refuses is an error.
func set(into reflect.Value, path, value string) error {
	name, rest, nested := strings.Cut(path, ".")
	name, key, indexed := strings.Cut(strings.TrimSuffix(name, "]"), "[")
	field := into.FieldByNameFunc(func(f string) bool { return strings.EqualFold(f, strings.ReplaceAll(name, "_", "")) })
	switch {
	case !field.IsValid():
		panic("no field " + path)
	case nested:
		return set(field, rest, value)
	case indexed:
		setKeys(field, key, value)
		return nil
	}
	switch f := field.Addr().Interface().(type) {
	case *time.Duration:
		*f = must(time.ParseDuration(value))
	case *time.Time:
		*f = must(time.Parse(time.RFC3339, value))
	case *[]Need:
		job, on, _ := strings.Cut(value, " ")
		need := Need{Job: repeated(job)}
		err := set(reflect.ValueOf(&need).Elem(), "on", on)
		*f = append(*f, need)
		return err
	case *string:
		*f = repeated(value)
	case *int:
		*f = must(strconv.Atoi(value))
	default:
		if n, err := strconv.Atoi(value); err == nil {
			field.SetUint(uint64(n))
			return nil
		}
		return f.(encoding.TextUnmarshaler).UnmarshalText([]byte(value))
	}
	return nil
}

func setKeys(field reflect.Value, key, value string) {
	count := 1
	if key == "#" {
		value, key, _ = strings.Cut(value, "*")
		count, key = must(strconv.Atoi(key)), "#"
	}
	if field.Kind() == reflect.Map && field.IsNil() {
		field.Set(reflect.MakeMap(field.Type()))
	}
	for i := range count {
		name := repeated(key)
		if key == "#" {
			name = fmt.Sprint(key, i)
		}
		switch f := field.Addr().Interface().(type) {
		case *map[string]string:
			(*f)[name] = repeated(value)
		case *map[string]map[string]string:
			(*f)[name] = map[string]string{"option": repeated(value)}
		case *[]Need:
			*f = append(*f, Need{Job: fmt.Sprint(value, i)})
		}
	}
}

// repeated reads a text: "as in Go", or a*3.
func repeated(text string) string {
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	if unit, times, ok := strings.Cut(text, "*"); ok {
		if n, err := strconv.Atoi(times); err == nil {
			return strings.Repeat(unit, n)
		}
	}
	return text
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func TestDefaults(t *testing.T) {
	cfg := ClusterConfig{Zone: "Europe/Berlin"}
	explicit := Job{
		Name: "backup", Schedule: "0 30 2 * * *", Timezone: "Europe/Berlin", Executor: "shell",
		MisfireWindow: 24 * time.Hour, MisfireMax: 100,
		Retry:     Retry{Backoff: Backoff{Initial: 5 * time.Second, Factor: 2000, Max: 5 * time.Minute, Jitter: 100}},
		KillGrace: 10 * time.Second, Delivery: DeliveryExclusive, History: 20,
	}
	tests := map[string]struct {
		edit func(given, want *Job)
	}{
		"what was not given":       {func(given, want *Job) {}},
		"a queue has room for one": {func(given, want *Job) { given.Overlap, want.Overlap, want.QueueLimit = OverlapQueue, OverlapQueue, 1 }},
		"http is delivered at least once": {func(given, want *Job) {
			given.Executor, want.Executor, want.Delivery = "http", "http", DeliveryAtLeastOnce
		}},
		"what nobody knows is exclusive": {func(given, want *Job) { given.Executor, want.Executor = "kafka", "kafka" }},
		"a longer first delay is the longest too": {func(given, want *Job) {
			given.Retry.Backoff.Initial, want.Retry.Backoff.Initial, want.Retry.Backoff.Max = time.Hour, time.Hour, time.Hour
		}},
		"a shorter longest delay is the first too": {func(given, want *Job) {
			given.Retry.Backoff.Max, want.Retry.Backoff.Initial, want.Retry.Backoff.Max = time.Second, time.Second, time.Second
		}},
		"the schedule's own zone is not contradicted": {func(given, want *Job) {
			given.Schedule = " TZ=Asia/Tokyo 0 2 * * *"
			want.Schedule, want.Timezone = given.Schedule, ""
		}},
		"no jitter stays none": {func(given, want *Job) { given.Retry.Backoff.Jitter, want.Retry.Backoff.Jitter = -1, -1 }},
		"what was given stays": {func(given, want *Job) {
			given.Timezone, given.MisfireWindow, given.MisfireMax, given.KillGrace, given.History = "UTC", 1, 2, 3, 4
			given.Overlap, given.QueueLimit, given.Delivery = OverlapQueue, 5, DeliveryAtLeastOnce
			retry := want.Retry
			*want = *given
			want.Retry = retry
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			given, want := validJob(), explicit
			test.edit(&given, &want)
			got := given.WithDefaults(cfg)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			if again := got.WithDefaults(ClusterConfig{Zone: "Asia/Tokyo"}); !reflect.DeepEqual(again, got) {
				t.Errorf("the second time, under another zone: got %+v\nwant %+v", again, got)
			}
			if err := given.Validate(cfg); err != nil {
				t.Errorf("not valid: %v", err)
			}
		})
	}
}

// TestValidateSeesThroughDefaults: whether defaults are explicit does not matter, and
// neither does the order of maps, whatever is wrong.
func TestValidateSeesThroughDefaults(t *testing.T) {
	number := rapid.SampledFrom([]int{-1, 0, 0, 0, 1, 1000, 1_000_000})
	span := rapid.SampledFrom([]time.Duration{-1, 0, 0, 0, 1, time.Second, time.Hour})
	tags := rapid.MapOf(rapid.StringOf(rapid.SampledFrom([]rune("ab\xff"))), rapid.SampledFrom([]string{"web", "web:2", "web:0", "web:x"}))
	rapid.Check(t, func(t *rapid.T) {
		j := validJob()
		j.Overlap = Overlap(rapid.IntRange(0, 4).Draw(t, "overlap"))
		j.QueueLimit, j.MaxParallel, j.MisfireMax, j.History = number.Draw(t, "a"), number.Draw(t, "b"), number.Draw(t, "c"), number.Draw(t, "d")
		j.Retry = Retry{Max: number.Draw(t, "max"), Backoff: Backoff{span.Draw(t, "initial"), number.Draw(t, "factor"), span.Draw(t, "longest"), number.Draw(t, "jitter")}}
		j.KillGrace, j.MisfireWindow = span.Draw(t, "grace"), span.Draw(t, "window")
		j.Tags = tags.Draw(t, "tags")
		cfg := ClusterConfig{LostAfter: span.Draw(t, "lost after")}
		asGiven := fmt.Sprint(j.Validate(cfg))
		if explicit := fmt.Sprint(j.WithDefaults(cfg).Validate(cfg)); explicit != asGiven {
			t.Fatalf("explicit: %s\nas given: %s", explicit, asGiven)
		}
		j.Tags = maps.Clone(j.Tags)
		if again := fmt.Sprint(j.Validate(cfg)); again != asGiven {
			t.Fatalf("first:  %s\nsecond: %s", asGiven, again)
		}
	})
}
