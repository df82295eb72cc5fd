package client

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"orrery"
	"orrery/cmd/internal/api"
	"orrery/cmd/internal/httpapi"
)

// maxLine bounds one line of a stream of events.
const maxLine = 4 << 20

// maxBreaks is how often in a row a stream may break that tells nothing new.
const maxBreaks = 5

// Follow gives what an attempt of an execution writes to each as it comes, until it has
// ended. attempt counts from 1. Where a connection breaks, it goes on.
func (c *Client) Follow(ctx context.Context, job, id string, attempt int, each func(httpapi.OutputEvent) error) (end httpapi.EndEvent, err error) {
	query := url.Values{"follow": {"true"}, "attempt": {strconv.Itoa(attempt)}}
	last, breaks, ended := "", 0, false
	for !ended {
		header := http.Header{"Accept": {"text/event-stream, application/problem+json"}}
		if last != "" {
			header.Set("Last-Event-ID", last)
		}
		answer, err := c.send(ctx, call{method: http.MethodGet, path: jobPath(job, "executions", id, "output"), query: query, header: header})
		if err != nil {
			return end, err
		}
		var stop error // what each said, or the server
		broken := readEvents(answer.Body, func(e event) error {
			switch e.name {
			case "output":
				last, breaks = e.id, 0
				var output httpapi.OutputEvent
				if stop = json.Unmarshal([]byte(e.data), &output); stop == nil {
					stop = each(output)
				}
			case "end":
				ended = true
				stop = json.Unmarshal([]byte(e.data), &end)
			case "error":
				var problem api.Problem
				if stop = json.Unmarshal([]byte(e.data), &problem); stop == nil {
					stop = orrery.Errorf(problem.Code, "%s", problem.Detail)
				}
			}
			return stop
		})
		answer.Body.Close()
		breaks++
		switch {
		case stop != nil:
			return end, stop
		case !ended && (ctx.Err() != nil || breaks >= maxBreaks):
			return end, orrery.Errorf(orrery.Unavailable, "follow the output of execution %s: the stream broke: %v", id, broken)
		}
	}
	return end, nil
}

// event is one server-sent event.
type event struct{ id, name, data string }

// readEvents reads a stream as the HTML standard has it, until its end.
func readEvents(from io.Reader, each func(event) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxLine)
	var e event
	var data []string
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if data != nil {
				e.data = strings.Join(data, "\n")
				if err := each(e); err != nil {
					return err
				}
			}
			e, data = event{id: e.id}, nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			data = append(data, value)
		}
	}
	return lines.Err()
}
