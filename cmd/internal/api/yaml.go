package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"orrery"
)

// DecodeJobs reads the definitions in a file, JSON or YAML: one job after the other, lists
// of jobs, or both. Names that no job has are listed; whether that is an error is the
// caller's matter. Numbers and true and false stand for texts where YAML has them.
func DecodeJobs(data []byte) (jobs []Job, unknown []string, err error) {
	if trimmed := bytes.TrimLeft(data, " \t\r\n\ufeff"); len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') {
		return decodeJSONJobs(trimmed)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, nil, orrery.Invalidf("%s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	for _, doc := range file.Docs {
		items := []ast.Node{doc.Body}
		if list, ok := doc.Body.(*ast.SequenceNode); ok {
			items = list.Values
		}
		for _, item := range items {
			if item == nil || item.Type() == ast.NullType || item.Type() == ast.CommentType {
				continue
			}
			var j Job
			var all any
			if err := errors.Join(yaml.NodeToValue(item, &j), yaml.NodeToValue(item, &all)); err != nil {
				return nil, nil, orrery.Invalidf("%s", strings.TrimSpace(yaml.FormatError(err, false, true)))
			}
			if _, ok := all.(map[string]any); !ok {
				return nil, nil, orrery.Invalidf("line %d: expected a job: name: value, and so on", item.GetToken().Position.Line)
			}
			jobs, unknown = append(jobs, j), append(unknown, ofJob(j, unknownFields(all, reflect.TypeFor[Job](), ""))...)
		}
	}
	return jobs, unknown, nil
}

func decodeJSONJobs(data []byte) (jobs []Job, unknown []string, err error) {
	for d := json.NewDecoder(bytes.NewReader(data)); ; {
		var raw json.RawMessage
		if err := d.Decode(&raw); errors.Is(err, io.EOF) {
			return jobs, unknown, nil
		} else if err != nil {
			return nil, nil, orrery.Invalidf("%s: %v", position(data, d.InputOffset()), err)
		}
		many := []Job{}
		var into any = &many
		if raw[0] != '[' {
			many = make([]Job, 1)
			into = &many[0]
		}
		found, err := Decode(raw, into)
		if err != nil {
			return nil, nil, err
		}
		jobs, unknown = append(jobs, many...), append(unknown, found...)
	}
}

func ofJob(j Job, names []string) []string {
	for i := range names {
		names[i] = fmt.Sprintf("%s (job %s)", names[i], j.Name)
	}
	return names
}

// Definition is what a user would write to get the job: the fields in their order,
// without those that are read only or say nothing. It is for YAML and for people.
func (j Job) Definition() yaml.MapSlice {
	if j.Concurrency == "allow" {
		j.Concurrency = ""
	}
	var kept yaml.MapSlice
	v := reflect.ValueOf(j)
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		empty := v.Field(i).IsZero() || f.Type.Kind() == reflect.Map && v.Field(i).Len() == 0
		if !empty && f.Tag.Get("readOnly") == "" {
			kept = append(kept, yaml.MapItem{Key: name, Value: v.Field(i).Interface()})
		}
	}
	return kept
}
