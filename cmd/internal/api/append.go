package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends what json.Marshal makes of the job, five times as fast: lists of ten
// thousand are asked for.
func (j *Job) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, `{"id":`...)
	b = appendText(b, j.ID)
	for _, f := range []struct{ name, value string }{
		{`,"name":`, j.Name}, {`,"displayname":`, j.DisplayName}, {`,"timezone":`, j.Timezone}, {`,"schedule":`, j.Schedule},
		{`,"owner":`, j.Owner}, {`,"owner_email":`, j.OwnerEmail},
	} {
		b = appendText(append(b, f.name...), f.value)
	}
	b = strconv.AppendUint(append(b, `,"success_count":`...), j.SuccessCount, 10)
	b = strconv.AppendUint(append(b, `,"error_count":`...), j.ErrorCount, 10)
	b = appendTime(append(b, `,"last_success":`...), j.LastSuccess)
	b = appendTime(append(b, `,"last_error":`...), j.LastError)
	b = strconv.AppendBool(append(b, `,"disabled":`...), j.Disabled)
	b = appendMap(append(b, `,"tags":`...), j.Tags)
	b = appendMap(append(b, `,"metadata":`...), j.Metadata)
	b = strconv.AppendInt(append(b, `,"retries":`...), int64(j.Retries), 10)
	b = appendTexts(append(b, `,"dependent_jobs":`...), j.DependentJobs)
	b = appendText(append(b, `,"parent_job":`...), j.ParentJob)
	b = appendMaps(append(b, `,"processors":`...), j.Processors)
	b = appendText(append(b, `,"concurrency":`...), j.Concurrency)
	b = appendText(append(b, `,"executor":`...), j.Executor)
	b = appendMap(append(b, `,"executor_config":`...), j.ExecutorConfig)
	b = appendText(append(b, `,"status":`...), j.Status)
	b = appendInstant(append(b, `,"next":`...), j.Next)
	b = strconv.AppendBool(append(b, `,"ephemeral":`...), j.Ephemeral)
	b = appendTime(append(b, `,"expires_at":`...), j.ExpiresAt)
	b = appendTime(append(b, `,"starts_at":`...), j.StartsAt)
	b, err := j.appendOurs(b)
	return append(b, '}'), err
}

// ours are the fields that Dkron does not have, most of which most jobs do not use.
type ours struct {
	Description   string            `json:"description,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	DST           *DST              `json:"dst,omitempty"`
	Targets       string            `json:"targets,omitempty"`
	Overlap       string            `json:"overlap,omitempty"`
	QueueLimit    int               `json:"queue_limit,omitempty"`
	QueueKeep     string            `json:"queue_keep,omitempty"`
	MaxParallel   int               `json:"max_parallel,omitempty"`
	Misfire       string            `json:"misfire,omitempty"`
	MisfireWindow Duration          `json:"misfire_window,omitempty"`
	MisfireMax    int               `json:"misfire_max,omitempty"`
	Retry         *Retry            `json:"retry,omitempty"`
	Timeout       Duration          `json:"timeout,omitempty"`
	KillGrace     Duration          `json:"kill_grace,omitempty"`
	StartDeadline Duration          `json:"start_deadline,omitempty"`
	Deadline      Duration          `json:"deadline,omitempty"`
	OnLost        string            `json:"on_lost,omitempty"`
	Delivery      string            `json:"delivery,omitempty"`
	Needs         []Need            `json:"needs,omitempty"`
	Join          string            `json:"join,omitempty"`
	History       int               `json:"history,omitempty"`
	Notify        *Notify           `json:"notify,omitempty"`
	Command       string            `json:"command,omitempty"`
}

func (j *Job) appendOurs(b []byte) ([]byte, error) {
	text, err := json.Marshal(ours{
		j.Description, j.Labels, j.DST, j.Targets, j.Overlap, j.QueueLimit, j.QueueKeep, j.MaxParallel, j.Misfire, j.MisfireWindow, j.MisfireMax, j.Retry,
		j.Timeout, j.KillGrace, j.StartDeadline, j.Deadline, j.OnLost, j.Delivery, j.Needs, j.Join, j.History, j.Notify, j.Command,
	})
	if err != nil {
		return b, err
	}
	if len(text) > len("{}") {
		b = append(append(b, ','), text[1:len(text)-1]...)
	}
	if j.Version != 0 {
		b = strconv.AppendUint(append(b, `,"version":`...), j.Version, 10)
	}
	if !j.CreatedAt.IsZero() {
		b = appendInstant(append(b, `,"created_at":`...), j.CreatedAt)
	}
	if !j.UpdatedAt.IsZero() {
		b = appendInstant(append(b, `,"updated_at":`...), j.UpdatedAt)
	}
	return b, nil
}

// appendText leaves to package json what is not plain.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // a text never fails
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendInstant(b []byte, t time.Time) []byte {
	return append(t.AppendFormat(append(b, '"'), time.RFC3339Nano), '"')
}

func appendTime(b []byte, t Time) []byte {
	if t.IsZero() {
		return append(b, "null"...)
	}
	return appendInstant(b, t.Time)
}

func appendTexts(b []byte, texts []string) []byte {
	if texts == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i, s := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

func appendMap(b []byte, m map[string]string) []byte { return appendEach(b, m, appendText) }

func appendMaps(b []byte, m map[string]map[string]string) []byte {
	return appendEach(b, m, appendMap)
}

// appendEach is in the order of the keys.
func appendEach[V any](b []byte, m map[string]V, value func([]byte, V) []byte) []byte {
	if m == nil {
		return append(b, "null"...)
	}
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(append(appendText(b, key), ':'), m[key])
	}
	return append(b, '}')
}
