package orrery

import (
	"errors"
	"fmt"
)

// Code says what a caller can do about an error. The set is closed: the HTTP API
// maps every code to one status, the command line to one exit code.
type Code string

const (
	Invalid     Code = "invalid"     // the request can never succeed as it is
	NotFound    Code = "not_found"   // no such job, execution or member
	Conflict    Code = "conflict"    // the object changed; read it and try again
	Unavailable Code = "unavailable" // no leader now; it did not happen; try again
	Unknown     Code = "unknown"     // it may or may not have happened; read before retrying
	Internal    Code = "internal"    // a bug
)

// Error is the one error type that crosses package boundaries.
type Error struct {
	Code Code
	Text string // lower case, no full stop: what was being done, to what, why not
}

func (e *Error) Error() string { return e.Text }

// Errorf builds an Error of the given code.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Invalidf builds an Error with code Invalid. The text says what was wrong, where,
// and what would have been accepted.
func Invalidf(format string, args ...any) *Error { return Errorf(Invalid, format, args...) }

// CodeOf returns the code of the first Error in err's chain: "" for nil, Internal
// for an error that is none of ours.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
