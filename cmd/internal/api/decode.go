package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"

	"orrery"
)

// Decode reads one JSON value. Names that v's type does not have are ignored and listed.
// An error has code invalid and says where, what, and what would be accepted.
func Decode(data []byte, v any) (unknown []string, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if d.Decode(v) == nil && atEnd(d) {
		return nil, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, explain(data, err, reflect.TypeOf(v).Elem())
	}
	var all any
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, err
	}
	return unknownFields(all, reflect.TypeOf(v).Elem(), ""), nil
}

func atEnd(d *json.Decoder) bool {
	_, err := d.Token()
	return errors.Is(err, io.EOF)
}

// unknownFields lists the names in value that t does not have, as paths.
func unknownFields(value any, t reflect.Type, path string) (unknown []string) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch value := value.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			return nil
		}
		fields := fieldsOf(t)
		for name, inner := range value {
			field, ok := fields.find(name)
			if !ok {
				unknown = append(unknown, path+name)
				continue
			}
			unknown = append(unknown, unknownFields(inner, field, path+name+".")...)
		}
		slices.Sort(unknown)
	case []any:
		if t.Kind() != reflect.Slice {
			return nil
		}
		for i, inner := range value {
			unknown = append(unknown, unknownFields(inner, t.Elem(), fmt.Sprintf("%s%d.", path, i))...)
		}
	}
	return unknown
}

// jsonFields are the names of a struct in JSON, and their types.
type jsonFields map[string]reflect.Type

func fieldsOf(t reflect.Type) jsonFields {
	fields := jsonFields{}
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = t.Field(i).Type
		}
	}
	return fields
}

// find is as lenient as package json: case does not matter.
func (f jsonFields) find(name string) (reflect.Type, bool) {
	if t, ok := f[name]; ok {
		return t, true
	}
	for known, t := range f {
		if strings.EqualFold(known, name) {
			return t, true
		}
	}
	return nil, false
}

// explain makes of an error of package json one that a person can act upon.
func explain(data []byte, err error, t reflect.Type) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return orrery.Invalidf("%s: %v", position(data, syntax.Offset), err)
	}
	at, field, cause := locate(data, t)
	if cause == nil {
		at, cause = 0, err
	}
	var kind *json.UnmarshalTypeError
	if errors.As(cause, &kind) {
		cause = fmt.Errorf("found a JSON %s: expected %s", kind.Value, kindOf(kind.Type))
	}
	if field == "" {
		return orrery.Invalidf("%s: %v", position(data, at), cause)
	}
	return orrery.Invalidf("%s: %s: %v", position(data, at), field, cause)
}

// locate finds the innermost value that t cannot be read from.
func locate(data []byte, t reflect.Type) (at int64, field string, err error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	d := json.NewDecoder(bytes.NewReader(data))
	open, _ := d.Token()
	array := open == json.Delim('[') && t.Kind() == reflect.Slice
	object := open == json.Delim('{') && t.Kind() == reflect.Struct
	for i := 0; (array || object) && d.More(); i++ {
		name, inner := fmt.Sprintf("[%d]", i), t
		if object {
			key, _ := d.Token()
			name, _ = key.(string)
			inner, _ = fieldsOf(t).find(name)
		} else {
			inner = t.Elem()
		}
		before := d.InputOffset()
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			break
		}
		if inner == nil || json.Unmarshal(raw, reflect.New(inner).Interface()) == nil {
			continue
		}
		before += int64(bytes.Index(data[before:], raw))
		at, path, err := locate(raw, inner)
		switch {
		case path == "" || strings.HasPrefix(path, "["):
			path = name + path
		default:
			path = name + "." + path
		}
		return before + at, path, err
	}
	return 0, "", json.Unmarshal(data, reflect.New(t).Interface())
}

// kindOf says what a type is read from.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a text in quotes"
	case reflect.Bool:
		return "true or false"
	case reflect.Map:
		return "an object of texts"
	case reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number, not below 0"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a number"
}

// position is a place in a text for people.
func position(data []byte, offset int64) string {
	before := data[:min(max(offset, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	return fmt.Sprintf("line %d, column %d", line, len(before)-bytes.LastIndexByte(before, '\n'))
}
