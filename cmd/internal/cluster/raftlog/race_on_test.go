//go:build race

package raftlog

const race = true // the tests run under the race detector
