package httpapi_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
)

// FuzzBodies: whatever is sent is answered, and never as our mistake.
func FuzzBodies(f *testing.F) {
	for _, body := range []string{
		"", "{", "null", "[]", "[null]", `{"jobs":[{}],"prune":true}`, job("a", "true"), "[" + job("a", "true") + "]", `{"name":"a","needs":[{"job":"b"}],"executor":"shell"}`,
		`{"name":"a","schedule":"@every 1s","executor":"shell","retry":{"backoff":{"factor":1e300,"jitter":-1}}}`, `{"tags":{"a":"b:99999999999999999999"}}`,
		`[{"name":"a","parent_job":"b","executor":"shell"},{"name":"b","parent_job":"a","executor":"shell"}]`, "{\"name\":\"\xff\"}",
	} {
		f.Add(body)
	}
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, body string) {
		var form bytes.Buffer
		parts := multipart.NewWriter(&form)
		part, _ := parts.CreateFormFile("file", "jobs.json")
		part.Write([]byte(body))
		parts.Close()
		for _, r := range []*http.Request{
			httptest.NewRequest("POST", "/v1/jobs", bytes.NewBufferString(body)),
			httptest.NewRequest("POST", "/v1/jobs:plan", bytes.NewBufferString(body)),
			httptest.NewRequest("POST", "/v1/jobs:apply", bytes.NewBufferString(body)),
			httptest.NewRequest("PUT", "/v1/cluster/config", bytes.NewBufferString(body)),
			httptest.NewRequest("POST", "/v1/restore", &form),
		} {
			if r.URL.Path == "/v1/restore" {
				r.Header.Set("Content-Type", parts.FormDataContentType())
			}
			answer := httptest.NewRecorder()
			w.a.api.ServeHTTP(answer, r)
			if answer.Code == http.StatusInternalServerError || answer.Code == http.StatusGatewayTimeout {
				t.Errorf("%s: %d %s", r.URL.Path, answer.Code, answer.Body)
			}
		}
	})
}
