package httpapi_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

func withJobs(b *testing.B, n int) *world {
	w := newWorld(b)
	for from := 0; from < n; from += 1000 {
		var jobs []string
		for i := from; i < min(n, from+1000); i++ {
			jobs = append(jobs, job(fmt.Sprintf("job-%06d", i), "/usr/local/bin/backup --all --quiet", `"owner":"somebody","tags":{"role":"web:1"},"metadata":{"team":"infra"}`, `"schedule":"0 30 4 * * *"`))
		}
		w.a.ask("POST", "/v1/jobs:apply", "["+strings.Join(jobs, ",")+"]").want(200, "")
	}
	return w
}

func BenchmarkListJobs(b *testing.B) {
	w := withJobs(b, 10_000)
	for name, query := range map[string]string{"all of 10000": "", "by next due time": "?_sort=next", "a page": "?_start=5000&_end=5050"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answer := httptest.NewRecorder()
				w.a.api.ServeHTTP(answer, httptest.NewRequest("GET", "/v1/jobs"+query, nil))
				if answer.Code != 200 {
					b.Fatal(answer.Body)
				}
			}
		})
	}
}

func BenchmarkPutJob(b *testing.B) {
	w := newWorld(b)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		body := job("a", "true")
		for i := 0; pb.Next(); i++ {
			answer := httptest.NewRecorder()
			w.a.api.ServeHTTP(answer, httptest.NewRequest("POST", "/v1/jobs", strings.NewReader(strings.Replace(body, `"a"`, fmt.Sprintf(`"a%p-%d"`, pb, i%100), 1))))
			if answer.Code != 201 {
				b.Error(answer.Body)
			}
		}
	})
}
