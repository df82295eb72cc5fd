package httpapi_test

import (
	"encoding/json"
	"os"
	"testing"

	"orrery/cmd/internal/api"
)

// TestDkronsExamples: what Dkron's documentation shows is taken, and may be written back
// as it is read. testdata/dkron.json has the definitions: their kinds of fields and values,
// under names of our own.
func TestDkronsExamples(t *testing.T) {
	text, err := os.ReadFile("testdata/dkron.json")
	if err != nil {
		t.Fatal(err)
	}
	var examples []struct {
		Of   string
		Jobs []json.RawMessage
	}
	if err := json.Unmarshal(text, &examples); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	for _, example := range examples {
		t.Run(example.Of, func(t *testing.T) {
			for _, definition := range example.Jobs {
				created := as[api.Job](w.a.ask("POST", "/v1/jobs", string(definition)).want(201, ""))
				read := w.a.ask("GET", "/v1/jobs/"+created.Name, "").want(200, "")
				again := as[api.Job](w.a.ask("PUT", "/v1/jobs/"+created.Name, read.body).want(201, ""))
				if again.Name != created.Name || again.Schedule != created.Schedule || again.Executor != created.Executor || again.ParentJob != created.ParentJob {
					t.Errorf("written back: %+v\nwas %+v", again, created)
				}
			}
		})
	}
}
