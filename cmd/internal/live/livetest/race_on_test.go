//go:build linux && race

package livetest

const race = true // the agents are built as the tests are
